//! `ocore-bench`: what the controller and the agent cost and how fast they are, side by side with peers, on real
//! processes. Started by `tests/bench/run`, which builds what it needs.

mod backoff;
mod bare;
mod events;
mod keys;
mod lines;
mod load;
mod machine;
mod nats;
mod report;
mod rows;
mod stats;
mod swarm;

use clap::{Parser, ValueEnum};
use ocore_shared::clock::{Clock, SystemClock};
use ocore_tests::client::text;
use ocore_tests::processes::Controller;
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    /// P1, P4, P7: many agents.
    Fleet,
    /// P5, A1: reads, and signing in.
    Api,
    /// A2, A3: the audit log.
    Audit,
    /// P15: the console on many servers.
    Console,
    /// P6: a no-op job.
    Job,
    /// P8, P9, P10, L2: log lines, keystrokes, files and searches of an instance.
    Instance,
    /// P12: provisioning beside the engine alone.
    Provision,
    /// P11: an agent's own cost.
    Agent,
    /// L1: ten instances in use for long. Only when it is asked for.
    Endurance,
    /// P16: the compiler's time.
    Build,
}

#[derive(Parser)]
struct Cli {
    /// Agents of the swarm.
    #[arg(long, default_value_t = 500)]
    agents: usize,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long ten instances are used for L1.
    #[arg(long, default_value_t = 15)]
    minutes: u64,
    /// Where the rows are kept; without it they are only printed.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Be the peer of P5 on this port, and nothing else.
    #[arg(long, hide = true, requires = "database")]
    bare: Option<u16>,
    #[arg(long, hide = true)]
    database: Option<String>,
    /// What to measure; everything when left out.
    groups: Vec<Group>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let cli = Cli::parse();
    if let (Some(port), Some(database)) = (cli.bare, &cli.database) {
        return bare::serve(port, database).await;
    }
    // Fails only when there is one already, and this is the only place that installs one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    machine::raise_open_files();
    let binaries = PathBuf::from(std::env::var("OCORE_BIN_DIR").expect("OCORE_BIN_DIR is set by tests/bench/run"));
    let directory = tempfile::tempdir_in("/var/tmp").expect("a directory on the same disk as everything else");
    let wanted = |group: Group| cli.groups.is_empty() || cli.groups.contains(&group);
    println!("load average before: {:.2}", machine::load());
    let mut rows = Vec::new();
    if wanted(Group::Fleet) {
        rows.extend(rows::fleet::run(cli.agents, cli.rounds, directory.path()).await);
    }
    if wanted(Group::Api) {
        rows.extend(rows::api::run(cli.rounds).await);
    }
    if wanted(Group::Audit) {
        rows.extend(rows::audit::run(cli.rounds).await);
    }
    if wanted(Group::Console) {
        rows.extend(rows::console::run(cli.rounds).await);
    }
    let endurance = cli.groups.contains(&Group::Endurance);
    if endurance || [Group::Job, Group::Instance, Group::Agent, Group::Provision].into_iter().any(wanted) {
        let controller = Controller::start().await;
        let client = controller.bootstrap().await;
        let (_agent, server) = controller.add_server(&client, "bench").await;
        let server = text(&server, "id");
        if wanted(Group::Job) {
            rows.extend(rows::job::run(&client, &server, cli.rounds, directory.path()).await);
        }
        if wanted(Group::Agent) {
            rows.extend(rows::agent::run(cli.rounds, &binaries).await);
        }
        if wanted(Group::Provision) {
            rows.extend(rows::provision::run(&client, &server, cli.rounds).await);
        }
        if wanted(Group::Instance) {
            rows.extend(rows::instance::run(&client, &server, cli.rounds, directory.path()).await);
        }
        if endurance {
            rows.extend(rows::endurance::run(&client, &server, cli.minutes).await);
        }
    }
    if wanted(Group::Build) {
        rows.extend(rows::build::run(cli.rounds, directory.path()));
    }
    println!("load average after: {:.2}", machine::load());
    report::print(&rows);
    if let Some(out) = &cli.out {
        report::write(out, &rows, &SystemClock.now().format("%-d %B %Y").to_string()).expect("the rows can be written");
    }
}
