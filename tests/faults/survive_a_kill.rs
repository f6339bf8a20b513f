//! Work survives the death of either side, and runs once.

use ocore_tests::client::{Client, text};
use ocore_tests::docker;
use ocore_tests::processes::{Agent, Controller};
use ocore_tests::provisioning::{CONTROL, PROVISION, Provisioning, STEPS, VERSION};
use ocore_tests::storage::{S3_KEY, S3_SECRET, S3Server};
use serde_json::json;
use std::time::Duration;

async fn killed_at(ada: &Client, agent: &mut Agent, server: &str, step: &str) {
    agent.kill();
    ada.server_is(server, "offline").await;
    agent.run_with_failpoint(&format!("instance_provision.{step}.after=kill"));
    ada.server_online(server).await;
    let provisioning = Provisioning::begin(ada, server, &format!("killed at {step}")).await;
    agent.run_again_after_its_end(PROVISION).await;
    provisioning.proven(ada).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_killed_goes_on_where_it_was() {
    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (mut agent, server) = controller.add_server(&ada, "first").await;
    let server = text(&server, "id");
    let steps: &[&str] = if cfg!(feature = "full") { &STEPS } else { &["postgres", "initialise"] };
    for step in steps {
        killed_at(&ada, &mut agent, &server, step).await;
    }
}

/// Have the agent kill itself once, right after it took this back and before that is written down.
async fn kill_when_undone(ada: &Client, agent: &mut Agent, server: &str, step: &str) {
    agent.kill();
    ada.server_is(server, "offline").await;
    agent.run_with_failpoint(&format!("{step}.undone=kill"));
    ada.server_online(server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_killed_while_it_takes_back_goes_on_with_that() {
    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (mut agent, server) = controller.add_server(&ada, "first").await;
    let server = text(&server, "id");

    kill_when_undone(&ada, &mut agent, &server, "instance_provision.config").await;
    let name = format!("Taken back {}", uuid::Uuid::now_v7().simple());
    let wish = json!({"name": name, "server_id": server, "odoo_version": VERSION, "admin_login": "admin",
        "admin_password": "long enough 1", "modules": ["no_such_module"]});
    let accepted = ada.post("/api/instances", wish).await.is(202);
    agent.run_again_after_its_end(PROVISION).await;
    let job = ada.job_end(&text(&accepted, "job_id"), PROVISION).await;
    assert_eq!((&job["status"], &job["failure"]["code"]), (&json!("failed"), &json!("unknown_module")), "{job:#}");
    let label = format!("sh.ocore.instance={}", text(&accepted, "id"));
    assert_eq!(docker::objects(&label).await, Vec::<String>::new());
}

/// The same of settings, which takes a running Odoo first.
#[cfg(feature = "full")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_killed_while_it_takes_settings_back_goes_on_with_that() {
    use ocore_tests::provisioning::{begin_change, is_as_wished};

    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (mut agent, server) = controller.add_server(&ada, "first").await;
    let server = text(&server, "id");

    let provisioning = Provisioning::begin(&ada, &server, "taken back").await;
    assert_eq!(ada.job_end(&provisioning.job, PROVISION).await["status"], "succeeded");
    let job = begin_change(&ada, &provisioning.id, json!({"env": {"COLOUR": "red"}})).await;
    assert_eq!(ada.job_end(&job, PROVISION).await["status"], "succeeded");
    kill_when_undone(&ada, &mut agent, &server, "instance_update.recreate").await;
    let deadly = json!({"env": {"COLOUR": "blue", "PYTHONHOME": "/nowhere"}});
    let job = begin_change(&ada, &provisioning.id, deadly).await;
    agent.run_again_after_its_end(PROVISION).await;
    let job = ada.job_end(&job, PROVISION).await;
    assert_eq!((&job["status"], &job["failure"]["code"]), (&json!("failed"), &json!("odoo_exited")), "{job:#}");
    is_as_wished(&ada, &provisioning.id, 1024, &[("COLOUR", "red")]).await;
    provisioning.proven(&ada).await;
}

/// The same of an upgrade: killed once while its modules are updated, once when the new container is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_killed_while_it_upgrades_goes_on_with_that() {
    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (mut agent, server) = controller.add_server(&ada, "first").await;
    let server = text(&server, "id");
    let provisioning = Provisioning::begin(&ada, &server, "upgraded").await;
    assert_eq!(ada.job_end(&provisioning.job, PROVISION).await["status"], "succeeded");
    let path = format!("/api/instances/{}/upgrade", provisioning.id);
    for point in ["oneshot.created=kill", "switch.after=kill"] {
        agent.kill();
        ada.server_is(&server, "offline").await;
        agent.run_with_failpoint(&format!("instance_upgrade.{point}"));
        ada.server_online(&server).await;
        let accepted = ada.post(&path, json!({"update": "all"})).await.is(202);
        agent.run_again_after_its_end(PROVISION).await;
        let job = ada.job_end(&text(&accepted, "job_id"), PROVISION).await;
        assert_eq!(job["status"], "succeeded", "{job:#}");
        assert_eq!(job["result"]["updated"], json!(["base"]), "{job:#}");
    }
    provisioning.proven(&ada).await;
}

/// Another password and other settings of PostgreSQL, cut anywhere: Odoo serves, with the new ones or with those before.
#[cfg(feature = "full")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_killed_never_locks_odoo_out_of_its_database() {
    use ocore_tests::provisioning::is_as_wished;

    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (mut agent, server) = controller.add_server(&ada, "first").await;
    let server = text(&server, "id");
    let provisioning = Provisioning::begin(&ada, &server, "locked out").await;
    assert_eq!(ada.job_end(&provisioning.job, PROVISION).await["status"], "succeeded");
    let database = format!("/api/instances/{}/database", provisioning.id);
    let settings = json!({"settings": {"work_mem": "6MB", "shared_buffers": "200MB"}});
    for (failpoint, ends) in [
        ("database_password.stop.after=kill", "succeeded"),
        ("database_password.password.written=kill", "succeeded"),
        ("database_password.password.after=kill", "succeeded"),
        ("database_password.start.after=kill", "succeeded"),
        ("database_password.health.after=error", "failed"),
        ("database_settings.restart.after=error", "failed"),
        ("database_settings.restart.after=kill", "succeeded"),
    ] {
        agent.kill();
        ada.server_is(&server, "offline").await;
        agent.run_with_failpoint(failpoint);
        ada.server_online(&server).await;
        let accepted = if failpoint.starts_with("database_password") {
            ada.post(&format!("{database}/password"), json!({})).await.is(202)
        } else {
            let path = format!("{database}/config");
            ada.try_call(http::Method::PUT, &path, &[], Some(settings.clone())).await.expect("an answer").is(202)
        };
        if ends == "succeeded" {
            agent.run_again_after_its_end(PROVISION).await;
        }
        let job = ada.job_end(&text(&accepted, "job_id"), PROVISION).await;
        assert_eq!(job["status"], ends, "{failpoint}: {job:#}");
        if failpoint.ends_with("restart.after=kill") {
            let config = ada.get(&format!("{database}/config")).await.is(200);
            assert_eq!(config["settings"], settings["settings"]);
        } else {
            is_as_wished(&ada, &provisioning.id, 1024, &[]).await;
        }
    }
    provisioning.proven(&ada).await;
}

/// Where backups and restores are cut.
const BACKUPS_CUT: &[&str] = if cfg!(feature = "full") {
    &[
        "backup_create.check.after",
        "backup_create.begin.after",
        "backup_create.database.after",
        "backup_create.filestore.after",
        "backup_create.manifest.after",
        "backup_restore.check.after",
        "backup_restore.database.after",
        "backup_restore.filestore.after",
        "backup_restore.stop.after",
        "backup_restore.swap.renamed",
        "backup_restore.swap.after",
        "backup_restore.health.after",
    ]
} else {
    &["backup_create.database.after", "backup_restore.swap.renamed"]
};

/// A backup and its restore, cut anywhere: what is called good is put back, and nothing of an attempt is left. What the
/// destination is opened with is on no disk, so the controller brings it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_killed_loses_no_backup() {
    let storage = S3Server::start();
    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (mut agent, server) = controller.add_server(&ada, "first").await;
    let server = text(&server, "id");
    let place = json!({"kind": "s3", "endpoint": storage.endpoint(), "region": "us-east-1", "bucket": "backups",
        "prefix": "", "path_style": true, "access_key_id": S3_KEY});
    let bucket = json!({"name": "Off-site", "config": place, "secret": S3_SECRET, "is_default": true});
    storage.bucket_create("backups").await;
    ada.post("/api/backup-destinations", bucket).await.is(201);
    let provisioning = Provisioning::begin(&ada, &server, "cut").await;
    assert_eq!(ada.job_end(&provisioning.job, PROVISION).await["status"], "succeeded");
    let instance = format!("/api/instances/{}", provisioning.id);
    for point in BACKUPS_CUT {
        let (kind, _) = point.split_once('.').expect("a kind");
        let backup = match kind {
            "backup_create" => None,
            _ => Some(backed_up(&ada, &instance).await),
        };
        agent.kill();
        ada.server_is(&server, "offline").await;
        agent.run_with_failpoint(&format!("{point}=kill"));
        ada.server_online(&server).await;
        let path = match &backup {
            None => format!("{instance}/backups"),
            Some(backup) => format!("/api/backups/{backup}/restore"),
        };
        let accepted = ada.post(&path, json!({})).await.is(202);
        agent.run_again_after_its_end(PROVISION).await;
        let job = ada.job_end(&text(&accepted, "job_id"), PROVISION).await;
        assert_eq!(job["status"], "succeeded", "{point}: {job:#}");
        if backup.is_none() {
            restored(&ada, &text(&accepted, "id")).await;
        }
        let databases = ada.get(&format!("{instance}/database/databases")).await.is(200);
        for database in databases["data"].as_array().expect("databases") {
            let name = text(database, "name");
            assert!(!name.starts_with("ocore_"), "{point}: {databases:#}");
            if name.contains("_until_") {
                let dropped = ada.delete(&format!("{instance}/database/databases/{name}?confirm={name}")).await.is(202);
                assert_eq!(ada.job_end(&text(&dropped, "job_id"), CONTROL).await["status"], "succeeded");
            }
        }
    }
    provisioning.proven(&ada).await;
}

async fn backed_up(ada: &Client, instance: &str) -> String {
    let accepted = ada.post(&format!("{instance}/backups"), json!({})).await.is(202);
    let job = ada.job_end(&text(&accepted, "job_id"), PROVISION).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    text(&accepted, "id")
}

async fn restored(ada: &Client, backup: &str) {
    let accepted = ada.post(&format!("/api/backups/{backup}/restore"), json!({})).await.is(202);
    let job = ada.job_end(&text(&accepted, "job_id"), PROVISION).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_is_killed_finds_everything_done() {
    let mut controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (_agent, server) = controller.add_server(&ada, "first").await;
    let server = text(&server, "id");

    // A terminal that is typed into across the death.
    let mut terminal = ada.websocket(&format!("/api/servers/{server}/terminal")).await;
    terminal.type_text("echo before-$((1+1))\r").await;
    terminal.expect("before-2", Duration::from_secs(15)).await;

    let provisioning = Provisioning::begin(&ada, &server, "orphan").await;
    let steps: &[&str] = if cfg!(feature = "full") { &STEPS } else { &["postgres"] };
    for step in steps {
        provisioning.reaches(&ada, step).await;
        controller.kill();
        controller.run().await;
    }

    ada.server_online(&server).await;
    let again = format!(
        "/api/servers/{server}/terminal?terminal_id={}&after={}",
        terminal.id.as_deref().expect("an id"),
        terminal.received
    );
    let mut terminal = ada.websocket(&again).await;
    terminal.type_text("echo after-$((2+2))\r").await;
    terminal.expect("after-4", Duration::from_secs(15)).await;
    assert!(!terminal.seen.contains("before-2"), "what was seen is not shown twice");
    provisioning.proven(&ada).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_may_die_in_either_order() {
    let mut controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (mut agent, server) = controller.add_server(&ada, "first").await;
    let server = text(&server, "id");

    let provisioning = Provisioning::begin(&ada, &server, "both").await;
    provisioning.reaches(&ada, "postgres").await;
    agent.kill();
    controller.kill();
    controller.run().await;
    agent.run();
    provisioning.reaches(&ada, "initialise").await;
    controller.kill();
    agent.kill();
    agent.run();
    controller.run().await;
    provisioning.proven(&ada).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_repeated_is_carried_out_once() {
    let mut controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (_agent, server) = controller.add_server(&ada, "first").await;
    let path = format!("/api/servers/{}/check", text(&server, "id"));
    let headers = [("idempotency-key", "once-and-only-once")];
    let call = || ada.try_call(http::Method::POST, &path, &headers, Some(json!({})));
    let first = text(&call().await.expect("an answer").is(202), "job_id");
    assert_eq!(text(&call().await.expect("an answer").is(202), "job_id"), first);
    assert_eq!(ada.job_end(&first, CONTROL).await["status"], "succeeded");
    controller.kill();
    controller.run().await;
    assert_eq!(text(&call().await.expect("an answer").is(202), "job_id"), first);
    let jobs = ada.get("/api/jobs?kind=noop").await.is(200);
    assert_eq!(jobs["data"].as_array().expect("jobs").len(), 1);
    let other = ada.try_call(http::Method::POST, &path, &headers, Some(json!({"other": 1}))).await;
    other.expect("an answer").refused(422, "idempotency_key_reused");
}
