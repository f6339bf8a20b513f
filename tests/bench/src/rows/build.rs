//! P16: how long people wait for the compiler.

use crate::report::Row;
use ocore_shared::clock::{Clock, SystemClock};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// Much depends on it, and it is edited often.
const EDITED: &str = "controller/src/router.rs";

fn cargo(target: &Path, args: &[&str]) -> f64 {
    let mut command = Command::new("cargo");
    command.args(args).args(["--workspace", "--locked", "--quiet"]).current_dir(ROOT).stdout(Stdio::null());
    command.env("CARGO_TARGET_DIR", target).env("SQLX_OFFLINE", "true").env_remove("DATABASE_URL");
    let began = Instant::now();
    assert!(command.status().is_ok_and(|status| status.success()), "cargo {args:?} failed");
    began.elapsed().as_secs_f64()
}

/// One cold build, then a check after each of some edits.
pub fn run(rounds: usize, directory: &Path) -> Vec<Row> {
    let target = directory.join("target");
    let cold = cargo(&target, &["build", "--all-targets"]);
    println!("cold build {cold:.0} s");
    cargo(&target, &["check"]);
    let mut checks = Vec::new();
    for round in 1..=rounds {
        let file = File::options().append(true).open(Path::new(ROOT).join(EDITED)).expect("the edited file");
        file.set_modified(SystemClock.now().into()).expect("its time");
        checks.push(cargo(&target, &["check"]));
        println!("round {round}: check after an edit {:.1} s", checks[round - 1]);
    }
    vec![
        Row::of("P16", "cold build of everything, tests included, debug, 2 cores", "s", &[cold]),
        Row::of("P16", "cargo check after an edit", "s", &checks),
    ]
}
