//! Logs of real containers: needs Docker with the image `tiny:1`, which `tests/lab/up` makes.

use super::{DownloadForm, HistoryQuery, LogHub};
use crate::host::docker::DockerHost;
use crate::host::docker::labels::Owner;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptionsBuilder, WaitContainerOptions};
use flate2::read::GzDecoder;
use futures::{StreamExt, TryStreamExt};
use ocore_shared::clock::{Clock, SystemClock};
use ocore_shared::ids::{EnvironmentId, InstanceId, JobId, OrganizationId};
use ocore_shared::logs::LogFilter;
use ocore_shared::protocol::logs::LogRecord;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TINY: &str = "localhost:5000/tiny:1";
/// Entries of the containers, one after the other: of ten entries nine are a line and one has a traceback, twenty lines
/// together.
const ENTRIES: [usize; 4] = [8 * UNIT, 6 * UNIT, 5 * UNIT, UNIT];
/// Together 100,000 lines; a build without optimisation is given a fifth of them.
const UNIT: usize = if cfg!(debug_assertions) { 500 } else { 2_500 };
const ALL: usize = 20 * UNIT;
const LINES: usize = ALL * 2;
/// Entry of the second container in which the needle is.
const NEEDLE: usize = 1_999;

/// The number at the end of each line counts all lines of all containers.
fn writer(container: usize) -> String {
    let entries = ENTRIES[container];
    format!(
        r#"BEGIN {{ n = {};
            for (entry = 0; entry < {entries}; entry++) {{
                stamp = "2026-11-22 01:06:19,123 7 "
                if (entry % 10 < 9) {{ print stamp "INFO shop odoo.addons.base.models.ir_http: GET /web line " n++; continue }}
                print stamp "ERROR shop odoo.http: Exception during request line " n++
                print "Traceback (most recent call last): line " n++
                for (depth = 0; depth < 8; depth++) print "  File \"/usr/lib/python3/odoo/http.py\", line " n++
                print (entry == {} ? "ValueError: the needle, line " : "ValueError: some hay, line ") n++
            }} }}"#,
        ENTRIES[..container].iter().sum::<usize>() * 2,
        if container == 1 { NEEDLE } else { entries },
    )
}

struct Lab {
    docker: DockerHost,
    hub: LogHub,
    instance: InstanceId,
    name: String,
    dir: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let docker = DockerHost::new(Path::new("/var/run/docker.sock"));
        let dir = tempfile::tempdir().unwrap();
        let changes = tokio::sync::watch::Sender::new(0).subscribe();
        let hub = LogHub::new(docker.clone(), dir.path().into(), changes, Arc::new(SystemClock));
        let instance = InstanceId::new();
        Self { docker, hub, instance, name: format!("ocore-{instance}-odoo"), dir }
    }

    /// What a recreation of the instance does: its new container writes, and has ended.
    async fn recreate(&self, container: usize) {
        self.hub.archive(self.instance, &self.name).await.unwrap();
        self.docker.remove(&self.name).await.unwrap();
        let owner = Owner {
            organization: OrganizationId::new(),
            environment: EnvironmentId::new(),
            instance: Some(self.instance),
            job: JobId::new(),
            spec_hash: String::new(),
        };
        let body = ContainerCreateBody {
            image: Some(TINY.into()),
            entrypoint: Some(vec!["/bin/busybox".into(), "awk".into()]),
            cmd: Some(vec![writer(container)]),
            labels: Some(owner.labels("odoo", "odoo")),
            ..Default::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(&self.name).build();
        let client = self.docker.client().await.unwrap();
        client.create_container(Some(options), body).await.expect("needs the image tiny:1, made by tests/lab/up");
        self.docker.start(&self.name).await.unwrap();
        client.wait_container(&self.name, None::<WaitContainerOptions>).try_collect::<Vec<_>>().await.unwrap();
    }

    async fn find(&self, filter: LogFilter) -> (Vec<LogRecord>, Duration) {
        let started = Instant::now();
        let query = HistoryQuery { limit: 5000, filter, ..HistoryQuery::default() };
        let page = self.hub.history(self.instance, &query).await.unwrap();
        (page.lines, started.elapsed())
    }

    async fn text(&self, form: DownloadForm) -> Vec<u8> {
        let chunks = self.hub.download(self.instance, LogFilter::default(), form).await.unwrap();
        chunks.map(|chunk| chunk.unwrap()).collect::<Vec<_>>().await.concat()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(std::process::Command::new("docker").args(["rm", "--force", "--volumes", &self.name]).output());
    }
}

/// The number at the end of a line.
fn number(record: &LogRecord) -> usize {
    record.text.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{record:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn many_lines_over_three_recreations() {
    let lab = Lab::new();
    for container in 0..ENTRIES.len() {
        lab.recreate(container).await;
    }

    // Every line once, in order, parsed, with a mark between two containers.
    let started = Instant::now();
    let (mut lines, mut before) = (Vec::new(), None);
    loop {
        let query = HistoryQuery { before, limit: 5000, ..HistoryQuery::default() };
        let page = lab.hub.history(lab.instance, &query).await.unwrap();
        lines.push(page.lines);
        let Some(cursor) = page.previous_cursor else { break };
        before = Some(cursor.parse().unwrap());
    }
    let pages = lines.len();
    let lines: Vec<LogRecord> = lines.into_iter().rev().flatten().collect();
    println!("{} lines in {pages} pages in {:?}", lines.len(), started.elapsed());
    let (marks, lines): (Vec<_>, Vec<_>) = lines.into_iter().partition(|l| l.stream == "mark");
    assert_eq!(marks.len(), 3);
    assert_eq!(lines.len(), LINES);
    assert!(lines.iter().enumerate().all(|(n, line)| number(line) == n), "a gap, or something twice");
    let heads = lines.iter().filter(|l| l.head.is_some()).count();
    assert_eq!(heads, ALL);
    assert!(lines.iter().all(|l| l.level.is_some() && (l.head.is_some() || l.level.as_deref() == Some("ERROR"))));

    // Searched whole; what is found is the whole entry.
    let (found, took) = lab.find(LogFilter { text: Some("the needle".into()), ..LogFilter::default() }).await;
    println!("{LINES} lines searched in {took:?}");
    let first = (ENTRIES[0] + NEEDLE / 10 * 10) * 2 + 9;
    assert_eq!(found.iter().map(number).collect::<Vec<_>>(), (first..first + 11).collect::<Vec<_>>());
    assert_eq!(found[0].head.as_ref().unwrap().logger, "odoo.http");
    assert!(took < Duration::from_secs(1), "a search took {took:?}");
    let both = LogFilter { logger: Some("odoo.http".into()), level: Some("WARNING".into()), ..LogFilter::default() };
    assert_eq!(lab.find(both).await.0.len(), (ALL / 10 * 11).min(5000));
    let none = LogFilter { level: Some("CRITICAL".into()), ..LogFilter::default() };
    assert_eq!(lab.find(none).await.0.len(), 0);
    let late = LogFilter { from: Some(lines[LINES - 40].at), ..LogFilter::default() };
    assert_eq!(lab.find(late).await.0.last().map(number), Some(LINES - 1));

    // As a file, and cleared.
    let started = Instant::now();
    let text = lab.text(DownloadForm::Text).await;
    let packed = lab.text(DownloadForm::Gzip).await;
    println!("{} bytes, {} packed, in {:?}; kept in {}", text.len(), packed.len(), started.elapsed(), kept(&lab));
    let mut unpacked = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == text);
    assert_eq!(text.split(|b| *b == b'\n').count(), LINES + 3 + 1);

    assert!(lab.hub.clear(lab.instance, true).unwrap().freed_bytes > 0);
    assert!(!lab.text(DownloadForm::Text).await.is_empty());
    let cleared = lab.hub.clear(lab.instance, false).unwrap();
    assert!(cleared.cleared_at <= SystemClock.now() && kept(&lab) == 0);
    assert_eq!(lab.text(DownloadForm::Text).await, b"");
    assert_eq!(lab.find(LogFilter::default()).await.0.len(), 0);
    lab.docker.start(&lab.name).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while lab.find(LogFilter::default()).await.0.is_empty() {
        assert!(Instant::now() < deadline, "what is written after that is shown");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn kept(lab: &Lab) -> u64 {
    super::archive::bytes(&lab.dir.path().join(lab.instance.to_string()))
}
