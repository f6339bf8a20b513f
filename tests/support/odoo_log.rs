//! Lines that stand in a container's log as if its Odoo had said them.

use crate::client::Client;
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::process::Command;

/// Numbered entries in Odoo's own form, to the output of the container's first process. Each tenth is an error with a
/// traceback of `TRACEBACK` lines.
const WRITER: &str = "\
import sys
out = open('/proc/1/fd/1', 'wb', buffering=0)
first, count = int(sys.argv[1]), int(sys.argv[2])
said = '2026-01-01 00:00:00,000 1 %s shop odoo.probe: entry %d ........................................\\n'
trace = 'Traceback (most recent call last):\\n  File \"/mnt/probe.py\", line %d, in probe\\n    raise ValueError(number)\\nValueError: probe %d\\n'
for number in range(first, first + count):
    failed = number % 10 == 0
    text = said % ('ERROR' if failed else 'INFO', number) + (trace % (number, number) if failed else '')
    out.write(text.encode())
";

/// Lines that follow the head of each tenth entry.
pub const TRACEBACK: u64 = 4;

/// Write entries `first` to `first + count - 1`: 1.4 lines each.
pub async fn write(container: &str, first: u64, count: u64) {
    run(container, WRITER, &[first, count]).await;
}

/// Run a Python script in the container.
pub async fn run(container: &str, script: &str, arguments: &[u64]) {
    let mut command = Command::new("docker");
    command.args(["exec", container, "python3", "-c", script]).args(arguments.iter().map(ToString::to_string));
    assert!(command.status().await.is_ok_and(|status| status.success()), "the lines are written");
}

/// What was read of a log from its end to its beginning.
#[derive(Default)]
pub struct Whole {
    /// Lines altogether, Odoo's own among them.
    pub lines: u64,
    pub entries: BTreeSet<u64>,
    /// Of these, errors whose traceback followed line by line, each with its level.
    pub tracebacks: u64,
    pub pages: usize,
    /// Lines of our own between two containers.
    pub recreated: u64,
}

fn entry(line: &Value) -> Option<u64> {
    (line["head"]["logger"] == "odoo.probe").then_some(())?;
    line["text"].as_str()?.split_once("odoo.probe: entry ")?.1.split(' ').next()?.parse().ok()
}

/// Page from the newest line back to the first.
pub async fn read_whole(client: &Client, instance: &str) -> Whole {
    let (mut whole, mut before) = (Whole::default(), String::new());
    // Newest first: a traceback is met before its head.
    let mut tail: Vec<Value> = Vec::new();
    loop {
        let page = client.get(&format!("/api/instances/{instance}/logs/history?limit=1000{before}")).await.is(200);
        whole.pages += 1;
        for line in page["lines"].as_array().expect("lines").iter().rev() {
            whole.lines += 1;
            whole.recreated += u64::from(line["text"] == "The container was made anew.");
            let Some(number) = entry(line) else {
                if line["head"].is_null() {
                    tail.push(line.clone())
                } else {
                    tail.clear()
                }
                continue;
            };
            assert!(whole.entries.insert(number), "entry {number} is there twice");
            let last = format!("ValueError: probe {number}");
            let traced = tail.len() as u64 == TRACEBACK
                && tail[0]["text"].as_str().is_some_and(|text| text.trim_end() == last)
                && tail.iter().all(|line| line["level"] == "ERROR");
            assert_eq!(traced, number % 10 == 0, "entry {number} is followed by {tail:?}");
            whole.tracebacks += u64::from(traced);
            tail.clear();
        }
        match page["previous_cursor"].as_str() {
            Some(cursor) => before = format!("&before={cursor}"),
            None => return whole,
        }
    }
}
