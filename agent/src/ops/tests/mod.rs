//! Operations on a real Docker with real Odoo. They need what `tests/lab/up` sets up, say so when it is missing, and
//! leave nothing behind.

mod away;
mod backups;
mod databases;
mod failing;
mod git_server;
mod journey;
mod modules;
mod proxy;
mod registry;
mod series;
mod upgrade;

use crate::app;
use crate::config::Config;
use crate::host::docker::labels;
use crate::host::http;
use crate::journal::RedbJournal;
use crate::state::AgentState;
use bollard::query_parameters::{ListNetworksOptionsBuilder, ListVolumesOptionsBuilder};
use ocore_shared::clock::SystemClock;
use ocore_shared::ids::JobId;
use ocore_shared::protocol::jobs::{JobRequest, JobSnapshot, JobStatus, StepStatus};
use ocore_shared::protocol::odoo::{InstanceControl, InstanceRemove, InstanceSpec, Limits, secret_names};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const ODOO: &str = "localhost:5000/odoo:14.0";
const POSTGRES: &str = "localhost:5000/postgres:13";
const PATIENCE: Duration = Duration::from_secs(240);

/// A whole agent in this process, without its tunnel.
struct Lab {
    agent: AgentState,
    spec: InstanceSpec,
    dir: Option<tempfile::TempDir>,
}

impl Lab {
    async fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap(), spec()).await
    }

    /// With Odoo of this series.
    async fn of(version: &str) -> Self {
        println!("Odoo {version}");
        let image = format!("localhost:5000/odoo:{version}");
        Self::open(tempfile::tempdir().unwrap(), InstanceSpec { image, odoo_version: version.into(), ..spec() }).await
    }

    async fn open(dir: tempfile::TempDir, spec: InstanceSpec) -> Self {
        let mut config = Config::load(dir.path().join("var"), dir.path().join("etc")).unwrap();
        // Agents of tests that run at the same time know nothing of each other's stopped instances.
        let first = 20000 + u16::try_from(std::process::id() % 99).unwrap() * 100;
        config.settings.instance_ports = Some((first, first + 99));
        crate::config::create_private_dir(&config.dir).unwrap();
        // An agent that has just ended may hold it for a moment.
        let open = async || RedbJournal::open(&config.journal_path(), &SystemClock).ok();
        let journal = until("the journal is free", open).await;
        let agent = app::build(config, Arc::new(journal), Arc::new(SystemClock), CancellationToken::new()).unwrap();
        let status = agent.host.docker_probe().await;
        assert!(status.available, "needs Docker, started by tests/lab/up: {}", status.problem.unwrap_or_default());
        for image in [ODOO, POSTGRES] {
            let found = agent.host.docker.image(image).await.unwrap();
            assert!(found.is_some(), "needs the image {image}, made by tests/lab/up");
        }
        app::start(&agent).unwrap();
        Self { agent, spec, dir: Some(dir) }
    }

    /// End this agent as a stop of its service would, and start it anew on the same directory.
    async fn restarted(mut self) -> Self {
        self.finish().await;
        let (dir, spec) = (self.dir.take().unwrap(), self.spec.clone());
        drop(self);
        Self::open(dir, spec).await
    }

    async fn provision(&self) -> JobSnapshot {
        self.run("instance_provision", &self.spec).await
    }

    async fn control(&self, kind: &str) -> JobSnapshot {
        let InstanceSpec { instance_id, environment_id, slug, odoo_version, .. } = self.spec.clone();
        self.run(kind, &InstanceControl { instance_id, environment_id, slug, odoo_version }).await
    }

    async fn remove(&self, purge: bool) -> JobSnapshot {
        let InstanceSpec { instance_id, environment_id, slug, .. } = self.spec.clone();
        self.run("instance_remove", &InstanceRemove { instance_id, environment_id, slug, purge }).await
    }

    async fn run(&self, kind: &str, input: &impl Serialize) -> JobSnapshot {
        let id = self.begin(kind, input).await;
        self.end(id).await
    }

    async fn begin(&self, kind: &str, input: &impl Serialize) -> JobId {
        self.begin_with(kind, input, []).await
    }

    /// The same with more secrets.
    async fn begin_with(
        &self, kind: &str, input: &impl Serialize, more: impl IntoIterator<Item = (String, String)>,
    ) -> JobId {
        let id = JobId::new();
        let names = [
            secret_names::DATABASE_PASSWORD,
            secret_names::CLUSTER_PASSWORD,
            secret_names::MASTER_PASSWORD,
            secret_names::ADMIN_PASSWORD,
            secret_names::SMTP_PASSWORD,
        ];
        let request = JobRequest {
            kind: kind.into(),
            organization_id: self.spec.organization_id,
            instance_id: Some(self.spec.instance_id),
            input: serde_json::to_value(input).unwrap(),
            secrets: names.iter().map(|n| (n.to_string(), password(n))).chain(more).collect::<BTreeMap<_, _>>(),
            timeout_seconds: None,
        };
        self.agent.engine.accept(id, request).await.unwrap();
        id
    }

    async fn end(&self, id: JobId) -> JobSnapshot {
        let started = Instant::now();
        let job = until("the job ends", async || {
            let job = self.agent.engine.job(id).unwrap().unwrap();
            job.status.is_terminal().then_some(job)
        })
        .await;
        println!("{} {:?} after {:.1} s", job.kind, job.status, started.elapsed().as_secs_f32());
        for step in &job.steps {
            let took = step.finished_at.zip(step.started_at).map(|(end, start)| (end - start).num_milliseconds());
            println!(
                "  {:20} {:?} {:?} ms {}",
                step.name,
                step.status,
                took.unwrap_or(0),
                step.message.clone().unwrap_or_default()
            );
        }
        job
    }

    /// Everything on this machine that belongs to the instance or its environment.
    async fn leftovers(&self) -> Vec<String> {
        let mut found = self
            .labelled([
                labels::filter(labels::INSTANCE, self.spec.instance_id),
                labels::filter(labels::ENVIRONMENT, self.spec.environment_id),
            ])
            .await;
        let files = self.agent.host.records.dir(self.spec.instance_id);
        found.extend(files.exists().then(|| files.display().to_string()));
        found
    }

    /// Containers, volumes and networks with one of these labels.
    async fn labelled(&self, labels: impl IntoIterator<Item = String>) -> Vec<String> {
        let docker = self.agent.host.docker.client().await.unwrap();
        let mut found = Vec::new();
        for label in labels {
            let containers = self.agent.host.docker.list(std::slice::from_ref(&label)).await.unwrap();
            found.extend(containers.into_iter().flat_map(|c| c.names.unwrap_or_default()));
            let filters = HashMap::from([("label", vec![label])]);
            let options = ListVolumesOptionsBuilder::default().filters(&filters).build();
            let volumes = docker.list_volumes(Some(options)).await.unwrap().volumes.unwrap_or_default();
            found.extend(volumes.into_iter().map(|v| v.name));
            let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
            found.extend(docker.list_networks(Some(options)).await.unwrap().into_iter().filter_map(|n| n.name));
        }
        found.sort();
        found.dedup();
        found
    }

    /// Volumes without a name that some container left.
    async fn nameless_volumes(&self) -> usize {
        let docker = self.agent.host.docker.client().await.unwrap();
        let filters = HashMap::from([("dangling", vec!["true"])]);
        let options = ListVolumesOptionsBuilder::default().filters(&filters).build();
        docker.list_volumes(Some(options)).await.unwrap().volumes.unwrap_or_default().len()
    }

    async fn finish(&self) {
        self.agent.stop.cancel();
        self.agent.tracker.close();
        let _ = tokio::time::timeout(Duration::from_secs(10), self.agent.tracker.wait()).await;
    }
}

fn spec() -> InstanceSpec {
    let plain = crate::ops::odoo::record::tests::spec();
    let text = plain.instance_id.to_string();
    InstanceSpec {
        slug: format!("t{}", &text[text.len() - 10..]),
        image: ODOO.into(),
        postgres_image: POSTGRES.into(),
        database_name: "shop-1".into(),
        database_role: "shop_role".into(),
        admin_login: "o'neil@example.com".into(),
        country: Some("FR".into()),
        limits: Limits { cpus: 1.5, memory_mb: 1024 },
        ..plain
    }
}

/// With everything that could break a quotation.
fn password(name: &str) -> String {
    format!("{name} 'q\"\\%:x$1")
}

/// Do this, and print for how long nobody got Odoo's sign-in page meanwhile.
async fn watched<T>(what: &str, address: SocketAddr, work: impl Future<Output = T>) -> T {
    let (mut longest, mut since) = (Duration::ZERO, None);
    let watch = async {
        loop {
            let asked = Instant::now();
            let answer = tokio::time::timeout(Duration::from_secs(5), http::request(address, "/web/login", None)).await;
            if answer.is_ok_and(|answer| answer.is_ok_and(|(status, _)| status == 200)) {
                longest = longest.max(since.take().map_or(Duration::ZERO, |since: Instant| since.elapsed()));
            } else {
                since.get_or_insert(asked);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let done = tokio::select! {
        done = work => done,
        () = watch => unreachable!("it watches on"),
    };
    longest = longest.max(since.map_or(Duration::ZERO, |since| since.elapsed()));
    println!("  {what}: nobody was answered for {} ms", longest.as_millis());
    done
}

async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[track_caller]
fn succeeded(job: &JobSnapshot) {
    assert_eq!(job.status, JobStatus::Succeeded, "{:?}", job.failure);
}

#[track_caller]
fn failed_with(job: &JobSnapshot, code: &str) -> String {
    assert_eq!(job.status, JobStatus::Failed);
    let failure = job.failure.clone().unwrap();
    assert_eq!(failure.code, code, "{}", failure.message);
    println!("  {}", failure.message);
    // Images stay on the server, so only those steps are not taken back.
    let mut left = job.steps.iter().filter(|s| matches!(s.status, StepStatus::Running | StepStatus::Succeeded));
    assert!(left.all(|s| s.name.starts_with("pull_")), "{:?}", job.steps);
    failure.message
}

/// A test that fails half-way leaves nothing behind either.
impl Drop for Lab {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        self.agent.stop.cancel();
        let docker = |args: &[&str]| {
            let output = std::process::Command::new("docker").args(args).output();
            output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default()
        };
        let instance = format!("label={}", labels::filter(labels::INSTANCE, self.spec.instance_id));
        let environment = format!("label={}", labels::filter(labels::ENVIRONMENT, self.spec.environment_id));
        for (list, remove, label) in [
            (["container", "ls", "--all"], ["container", "rm", "--force", "--volumes"].as_slice(), &instance),
            (["volume", "ls", "--quiet"], &["volume", "rm"], &instance),
            (["network", "ls", "--quiet"], &["network", "rm"], &environment),
        ] {
            let ids = docker(&[&list[..], &["--quiet", "--filter", label]].concat());
            ids.lines().for_each(|id| drop(docker(&[remove, &[id]].concat())));
        }
    }
}
