//! The main job on real parts: a server, a real Odoo on it, its log, a shell, stop, start, delete.

use ocore_tests::client::{Client, text};
use ocore_tests::docker;
use ocore_tests::processes::{Controller, PASSWORD};
use ocore_tests::wait_for;
use serde_json::json;
use std::process::Command;
use std::time::Duration;

const PROVISION: Duration = Duration::from_secs(240);
const CONTROL: Duration = Duration::from_secs(120);
const ODOO_PASSWORD: &str = "odoo zz-canary 9";

/// GET on the instance's own port, as a browser would.
async fn odoo_status(port: u16) -> Option<u16> {
    let odoo = Client { port, token: None };
    Some(odoo.try_call(http::Method::GET, "/web/login", &[], None).await.ok()?.status.as_u16())
}

/// Log in by XML-RPC with a real client.
fn odoo_login(port: u16, database: &str, login: &str, password: &str) -> bool {
    let script = "import odoorpc, sys\n\
        odoo = odoorpc.ODOO('127.0.0.1', port=int(sys.argv[1]))\n\
        odoo.login(sys.argv[2], sys.argv[3], sys.argv[4])\n\
        print(odoo.env.user.login)";
    let output = Command::new("/usr/bin/python3")
        .args(["-c", script, &port.to_string(), database, login, password])
        .output()
        .expect("python3 with odoorpc");
    output.status.success() && String::from_utf8_lossy(&output.stdout).trim() == login
}

/// The oldest series is also what most other journeys run.
#[cfg(feature = "full")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_nothing_to_a_running_odoo_14_and_back() {
    evening("14.0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_nothing_to_a_running_odoo_19_and_back() {
    evening("19.0").await;
}

async fn evening(version: &str) {
    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (_agent, server) = controller.add_server(&ada, "first").await;
    let server = text(&server, "id");
    let organization = text(&ada.get("/api/org").await.is(200), "id");
    let label = format!("sh.ocore.organization={organization}");

    // Container names carry the slug: a run beside another one takes its own.
    let name = format!("Acme {}", uuid::Uuid::now_v7().simple());
    let wish = json!({"name": name, "server_id": server, "odoo_version": version, "admin_email": "boss@acme.test",
        "admin_password": ODOO_PASSWORD, "language": "fr_FR", "country": "BE", "limits": {"cpus": 1, "memory_mb": 1024}});
    let accepted = ada.post("/api/instances", wish.clone()).await.is(202);
    let (id, job) = (text(&accepted, "id"), text(&accepted, "job_id"));
    ada.post("/api/instances", wish).await.refused(409, "name_taken");
    let busy = ada.post(&format!("/api/instances/{id}/restart"), json!({})).await;
    busy.refused(409, "operation_in_progress");

    let job = ada.job_end(&job, PROVISION).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    assert!(job["steps"].as_array().unwrap().iter().all(|s| s["status"] == "succeeded" || s["status"] == "skipped"));
    let install = ada.get(&format!("/api/instances/{id}/install-logs")).await.is(200);
    let lines = install["data"].as_array().unwrap();
    assert!(lines.iter().any(|l| l["text"].as_str().unwrap().contains("Modules loaded.")), "the log is whole");
    assert!(lines.iter().enumerate().all(|(i, l)| l["seq"] == i + 1), "no line is missing");

    let instance = ada.get(&format!("/api/instances/{id}")).await.is(200);
    assert_eq!((&instance["status"], &instance["health"]), (&json!("running"), &json!("healthy")));
    let port = u16::try_from(instance["http_port"].as_u64().unwrap()).unwrap();
    assert_eq!(odoo_status(port).await, Some(200));

    // The log line of a login is seen live, with its cursor.
    let database = text(&instance, "database_name");
    let watcher = {
        let (ada, path) = (ada.clone(), format!("/api/instances/{id}/logs?tail=0"));
        tokio::spawn(async move {
            ada.events(&path, Duration::from_secs(30), |event, id, data| {
                event == "log"
                    && !id.is_empty()
                    && data["text"].as_str().unwrap_or_default().contains("Login successful")
            })
            .await
        })
    };
    // The watcher must be there first: a login is tried until it is seen.
    let login = {
        let database = database.clone();
        move || odoo_login(port, &database, "boss@acme.test", ODOO_PASSWORD)
    };
    assert!(tokio::task::spawn_blocking(login).await.unwrap(), "the chosen password works");
    let history = wait_for("the login in the log", Duration::from_secs(10), || async {
        let page = ada.get(&format!("/api/instances/{id}/logs/history?q=Login%20successful")).await.is(200);
        (!page["lines"].as_array()?.is_empty()).then_some(page)
    })
    .await;
    assert_eq!(history["lines"][0]["level"], "INFO");
    if !watcher.is_finished() {
        assert!(odoo_login(port, &database, "boss@acme.test", ODOO_PASSWORD));
    }
    assert!(watcher.await.unwrap(), "the login was seen live");
    assert!(!odoo_login(port, &database, "boss@acme.test", "wrong"), "another password does not");

    // A shell in the container.
    let mut shell = ada.websocket(&format!("/api/instances/{id}/console?mode=shell&cols=100&rows=30")).await;
    shell.type_text("echo $((6*7))-żółw; stty size; id -un\r").await;
    for seen in ["42-żółw", "30 100", "odoo"] {
        shell.expect(seen, Duration::from_secs(15)).await;
    }
    drop(shell);

    // A terminal on the server.
    let mut terminal = ada.websocket(&format!("/api/servers/{server}/terminal?cols=80&rows=24")).await;
    terminal.type_text("echo on-$((40+2)) $TERM\r").await;
    terminal.expect("on-42 xterm-256color", Duration::from_secs(15)).await;
    drop(terminal);

    for (verb, status) in [("stop", "stopped"), ("start", "running"), ("restart", "running")] {
        let accepted = ada.post(&format!("/api/instances/{id}/{verb}"), json!({})).await.is(202);
        let job = ada.job_end(&text(&accepted, "job_id"), CONTROL).await;
        assert_eq!(job["status"], "succeeded", "{verb}: {job:#}");
        assert_eq!(ada.get(&format!("/api/instances/{id}")).await.is(200)["status"], status);
    }
    assert_eq!(odoo_status(port).await, Some(200));

    let containers = ada.get(&format!("/api/servers/{server}/inventory/containers")).await.is(200);
    let ours = |c: &&serde_json::Value| c["labels"]["sh.ocore.instance"] == id.as_str();
    assert_eq!(containers["data"].as_array().unwrap().iter().filter(ours).count(), 2);
    assert!(!docker::objects(&label).await.is_empty());

    let accepted = ada.delete(&format!("/api/instances/{id}?purge=true")).await.is(202);
    let job = ada.job_end(&text(&accepted, "job_id"), CONTROL).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    ada.get(&format!("/api/instances/{id}")).await.refused(404, "not_found");
    assert_eq!(docker::objects(&label).await, Vec::<String>::new(), "nothing is left behind");

    // No secret has reached a log.
    for log in [controller.log(), _agent.log()] {
        assert!(!log.contains(ODOO_PASSWORD) && !log.contains(PASSWORD));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_work_says_so_and_leaves_nothing() {
    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (_agent, server) = controller.add_server(&ada, "first").await;
    let server = text(&server, "id");
    let label = format!("sh.ocore.organization={}", text(&ada.get("/api/org").await.is(200), "id"));
    let run = uuid::Uuid::now_v7().simple().to_string();
    let wish = |name: &str| {
        json!({"name": format!("{name} {run}"), "server_id": server, "odoo_version": "14.0", "admin_login": "admin",
            "admin_password": "long enough 1"})
    };

    let mut odd = wish("Nope");
    odd["odoo_version"] = json!("7.0");
    odd["colour"] = json!(1);
    ada.post("/api/instances", odd).await.refused(400, "validation_error");
    let mut large = wish("Large");
    large["limits"] = json!({"cpus": 1, "memory_mb": 9_000_000});
    let body = ada.post("/api/instances", large).await.refused(400, "validation_error");
    assert_eq!(body["error"]["details"]["field"], "limits.memory_mb");

    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let mut port = wish("Port taken");
    port["http_port"] = json!(taken.local_addr().unwrap().port());
    let mut image = wish("No image");
    image["image"] = json!("localhost:5000/no-such-image:1");
    let mut module = wish("No module");
    module["modules"] = json!(["no_such_module"]);
    for (wish, code) in [(port, "port_taken"), (image, "image_not_found"), (module, "unknown_module")] {
        let accepted = ada.post("/api/instances", wish).await.is(202);
        let job = ada.job_end(&text(&accepted, "job_id"), PROVISION).await;
        assert_eq!(job["status"], "failed", "{job:#}");
        assert_eq!(job["failure"]["code"], code, "{job:#}");
        let id = text(&accepted, "id");
        let instance = ada.get(&format!("/api/instances/{id}")).await.is(200);
        assert_eq!(instance["status"], "error");
        assert_eq!(instance["status_reason"], job["failure"]["message"]);
        assert_eq!(docker::objects(&label).await, Vec::<String>::new(), "{code} leaves nothing");
        let accepted = ada.delete(&format!("/api/instances/{id}?purge=true")).await.is(202);
        assert_eq!(ada.job_end(&text(&accepted, "job_id"), CONTROL).await["status"], "succeeded");
    }
}
