//! Parts of operations on an engine that answers as told, for what a real one does seldom. Whole operations on a real
//! engine are in `ops/tests`.

use super::record::tests::spec;
use super::record::{Record, Stage, odoo_container, postgres_container};
use super::*;
use crate::config::{Config, Settings};
use crate::engine::{Engine, EngineParts, Failpoints, Registry, SealKey};
use crate::events::EventHub;
use crate::host::Host;
use crate::host::docker::fake::FakeDocker;
use crate::host::docker::labels;
use crate::journal::RedbJournal;
use axum::extract::{Path, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::StatusCode;
use ocore_shared::clock::SystemClock;
use ocore_shared::ids::JobId;
use ocore_shared::protocol::jobs::{JobRequest, JobSnapshot, JobStatus, StepStatus};
use ocore_shared::protocol::odoo::{InstanceSpec, InstanceUpdate};
use serde_json::json;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// An agent's host and engine, and what its Docker was asked.
struct Rig {
    host: Host,
    journal: Arc<RedbJournal>,
    events: EventHub,
    dir: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
    _docker: FakeDocker,
}

impl Rig {
    /// Docker answers as `router` does, and 404 to all else.
    fn new(router: Router) -> Self {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let list = asked.clone();
        let router = router.layer(axum::middleware::map_request(move |request: Request| {
            list.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path()));
            async { request }
        }));
        let docker = FakeDocker::start(router);
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { docker_socket: Some(docker.host.socket().to_owned()), ..Default::default() };
        let config = Config { dir: dir.path().join("var"), config_dir: dir.path().join("etc"), settings };
        crate::config::create_private_dir(&config.dir).unwrap();
        let journal = Arc::new(RedbJournal::open(&config.journal_path(), &SystemClock).unwrap());
        let events = EventHub::new(journal.clone(), Arc::new(SystemClock));
        let host = Host::new(&config, events.clone(), Arc::new(SystemClock));
        Self { host, journal, events, dir, asked, _docker: docker }
    }

    /// The instance is known, as of an earlier job.
    fn knows(&self, spec: &InstanceSpec, stage: Stage) -> Record {
        let record = Record {
            spec: spec.clone(),
            stage,
            job: JobId::new(),
            http_port: 20001,
            realtime_port: None,
            image_digest: String::new(),
            postgres_digest: String::new(),
            running: true,
        };
        let records = &self.host.records;
        records.write(&record).unwrap();
        let conf = "[options]\ndb_password = one\nadmin_passwd = two\n";
        std::fs::write(records.conf_path(spec.instance_id), conf).unwrap();
        record
    }

    fn engine<F>(&self, work: impl Fn(Host, JobContext) -> F + Send + Sync + 'static) -> Engine
    where
        F: Future<Output = Result<Value, OpError>> + Send + 'static,
    {
        let mut registry = Registry::new();
        let host = self.host.clone();
        registry.add("work", move |ctx| Box::pin(work(host.clone(), ctx)));
        Engine::new(EngineParts {
            journal: self.journal.clone(),
            events: self.events.clone(),
            clock: Arc::new(SystemClock),
            registry,
            key: SealKey::load(&self.dir.path().join("journal.key")).unwrap(),
            failpoints: Failpoints::default(),
            tracker: Default::default(),
            stop: Default::default(),
        })
    }

    fn was_asked(&self, what: &str) -> bool {
        self.asked.lock().unwrap().iter().any(|asked| asked.contains(what))
    }
}

async fn begin(engine: &Engine, spec: &InstanceSpec, input: Value) -> JobId {
    let id = JobId::new();
    let request = JobRequest {
        kind: "work".into(),
        organization_id: spec.organization_id,
        instance_id: Some(spec.instance_id),
        input,
        secrets: Default::default(),
        timeout_seconds: None,
    };
    engine.accept(id, request).await.unwrap();
    id
}

async fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let seen = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), seen).await.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

async fn end(engine: &Engine, id: JobId) -> JobSnapshot {
    until("the job ends", || engine.job(id).unwrap().filter(|job| job.status.is_terminal())).await
}

fn refused(status: u16, message: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(json!({ "message": message }))).into_response()
}

/// `before` as the first answer, `after` as every other.
fn first_then(before: impl Fn() -> Response, after: impl Fn() -> Response) -> impl Fn() -> Response {
    let count = AtomicUsize::new(0);
    move || if count.fetch_add(1, Ordering::SeqCst) == 0 { before() } else { after() }
}

#[tokio::test]
async fn a_docker_that_is_away_for_a_moment_is_asked_again() {
    let container = Arc::new(first_then(
        || refused(500, "the daemon is shutting down"),
        || Json(json!({ "State": { "Running": false, "ExitCode": 3 } })).into_response(),
    ));
    let router = Router::new().route("/containers/{name}/json", get(async move || container()));
    let rig = Rig::new(router);
    let record = rig.knows(&spec(), Stage::Ready);
    let engine = rig.engine(|host, ctx| async move {
        let record = host.records.get(ctx.input()?)?;
        ctx.step("health", health::wait(&host, &ctx, &record)).await.map(|()| Value::Null)
    });
    let job = begin(&engine, &record.spec, json!(record.spec.instance_id)).await;
    let failure = end(&engine, job).await.failure.unwrap();
    assert_eq!(failure.code, "odoo_exited", "{}", failure.message);
}

#[tokio::test]
async fn the_network_is_held_until_a_container_is_in_it() {
    let host: Arc<OnceLock<Host>> = Arc::default();
    let seen = host.clone();
    let create = async move || match seen.get().unwrap().naming.try_lock() {
        Ok(_) => refused(500, "the network could go away now"),
        Err(_) => (StatusCode::CREATED, Json(json!({ "Id": "c", "Warnings": [] }))).into_response(),
    };
    let router = Router::new()
        .route("/networks/create", post(async || (StatusCode::CREATED, Json(json!({ "Id": "n", "Warning": "" })))))
        .route("/containers/create", post(create));
    let rig = Rig::new(router);
    assert!(host.set(rig.host.clone()).is_ok());
    let engine = rig.engine(|host, ctx| async move {
        let spec: InstanceSpec = ctx.input()?;
        control::have_postgres(&host, &ctx, &spec).await.map(|()| Value::Null)
    });
    let spec = spec();
    let job = begin(&engine, &spec, json!(spec)).await;
    let job = end(&engine, job).await;
    assert_eq!(job.status, JobStatus::Succeeded, "{:?}", job.failure);
    assert!(rig.was_asked("POST /networks/create"));
}

#[tokio::test]
async fn an_update_that_is_cancelled_before_it_touched_odoo_lets_it_run() {
    let hangs = Arc::new(AtomicUsize::new(1));
    let count = hangs.clone();
    let update = async move || {
        if count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            std::future::pending::<()>().await;
        }
        Json(json!({ "Warnings": [] }))
    };
    let rig = Rig::new(Router::new().route("/containers/{name}/update", post(update)));
    let before = rig.knows(&spec(), Stage::Ready);
    let engine = rig.engine(update::run);
    let mut wanted = before.spec.clone();
    wanted.env.insert("COLOUR".into(), "red".into());
    let id = begin(&engine, &before.spec, json!(InstanceUpdate { spec: wanted })).await;
    until("the limits are being set", || (hangs.load(Ordering::SeqCst) == 0).then_some(())).await;
    engine.cancel(id).await.unwrap().unwrap();
    let job = end(&engine, id).await;
    assert_eq!(job.status, JobStatus::Cancelled);
    let message = job.failure.unwrap().message;
    assert_eq!(message, "The job was cancelled. The settings before are in force again.");
    let status = |name: &str| job.steps.iter().find(|s| s.name == name).unwrap().status;
    assert_eq!((status("limits"), status("recreate")), (StepStatus::Undone, StepStatus::Pending));
    assert!(!rig.was_asked("/stop") && !rig.was_asked("DELETE"), "{:?}", rig.asked);
    assert_eq!(rig.host.records.get(before.spec.instance_id).unwrap(), before);
}

/// A Docker with a container and a volume of the instance, until they are removed.
fn with_left_overs(spec: &InstanceSpec) -> Router {
    let owner = containers::owner(spec, JobId::new());
    let left: Arc<Mutex<Vec<&str>>> = Arc::new(Mutex::new(vec!["container", "volume"]));
    let there = |left: &Arc<Mutex<Vec<&'static str>>>, what: &str| left.lock().unwrap().contains(&what);
    let labels = owner.labels("postgres", "postgres");
    let (odoo, postgres) = (odoo_container(&spec.slug), postgres_container(&spec.slug));
    let summary = json!([{ "Id": postgres, "Names": [format!("/{postgres}")], "Labels": labels }]);
    let volume = json!({ "Name": "data", "Driver": "local", "Mountpoint": "/", "Labels": labels, "Scope": "local",
        "Options": {} });
    let details = json!({ "Id": postgres, "Config": { "Labels": labels } });
    let (l1, l2, l3, l4, l5) = (left.clone(), left.clone(), left.clone(), left.clone(), left);
    Router::new()
        .route(
            "/containers/json",
            get(async move || Json(if there(&l1, "container") { summary.clone() } else { json!([]) })),
        )
        .route(
            "/containers/{name}/json",
            get(async move |Path(path): Path<HashMap<String, String>>| {
                match path["name"] != odoo && path["name"] == postgres && there(&l2, "container") {
                    true => Json(details.clone()).into_response(),
                    false => refused(404, "No such container"),
                }
            }),
        )
        .route(
            "/containers/{name}",
            delete(async move || {
                l3.lock().unwrap().retain(|what| *what != "container");
                StatusCode::NO_CONTENT
            }),
        )
        .route(
            "/volumes",
            get(async move || {
                let volumes = if there(&l4, "volume") { json!([volume.clone()]) } else { json!([]) };
                Json(json!({ "Volumes": volumes, "Warnings": [] }))
            }),
        )
        .route(
            "/volumes/{name}",
            delete(async move || {
                l5.lock().unwrap().retain(|what| *what != "volume");
                StatusCode::NO_CONTENT
            }),
        )
}

#[tokio::test]
async fn only_what_an_unfinished_attempt_left_is_cleared_away() {
    for (stage, removed) in
        [(Some(Stage::Provisioning), true), (Some(Stage::Removed), false), (Some(Stage::Ready), false), (None, false)]
    {
        let spec = spec();
        let rig = Rig::new(with_left_overs(&spec));
        if let Some(stage) = stage {
            rig.knows(&spec, stage);
        }
        let engine = rig.engine(|host, ctx| async move {
            let spec: InstanceSpec = ctx.input()?;
            ctx.step("check", async { preflight::check(&host, &ctx, &spec).await.map(drop) }).await?;
            Ok(Value::Null)
        });
        let job = begin(&engine, &spec, json!(spec)).await;
        let code = end(&engine, job).await.failure.map(|f| f.code);
        let expected = match stage {
            // Whatever this machine's memory or disk has against it comes later.
            Some(Stage::Provisioning) => code.as_deref(),
            Some(Stage::Ready) => Some("instance_exists"),
            _ => Some("name_taken"),
        };
        assert_eq!(code.as_deref(), expected);
        let gone = (rig.was_asked("DELETE /volumes/data"), rig.was_asked("DELETE /containers/"));
        assert_eq!(gone, (removed, removed), "{stage:?} {:?}", rig.asked);
    }
}

#[tokio::test]
async fn a_volume_that_something_uses_is_named_with_its_user() {
    let volume = json!({ "Name": "data", "Driver": "local", "Mountpoint": "/", "Labels": {}, "Scope": "local",
        "Options": {} });
    let router = |refusals: usize| {
        let left = Arc::new(AtomicUsize::new(refusals));
        let (volume, there) = (volume.clone(), left.clone());
        let remove = async move || match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)) {
            Ok(0..=1) | Err(_) => StatusCode::NO_CONTENT.into_response(),
            Ok(_) => refused(409, "remove data: volume is in use - [abc]"),
        };
        let list = async move || match there.load(Ordering::SeqCst) {
            0 => Json(json!({ "Volumes": [], "Warnings": [] })),
            _ => Json(json!({ "Volumes": [volume.clone()], "Warnings": [] })),
        };
        Router::new()
            .route("/volumes", get(list))
            .route("/volumes/{name}", delete(remove))
            .route("/containers/json", get(async || Json(json!([{ "Id": "abc", "Names": ["/someones"] }]))))
    };
    let labels = [labels::managed()];
    let docker = FakeDocker::start(router(usize::MAX));
    let error = volumes::remove(&docker.host, &labels, Duration::ZERO).await.unwrap_err();
    assert_eq!(error.code, volumes::IN_USE);
    assert!(error.message.contains("volume is in use") && error.message.contains("someones"), "{error}");

    let docker = FakeDocker::start(router(3));
    volumes::remove(&docker.host, &labels, volumes::PATIENCE).await.expect("it is let go of a moment later");
}
