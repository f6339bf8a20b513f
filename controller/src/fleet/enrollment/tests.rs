//! What an install command is, what it may say about its server, and whose certificate counts.

use super::service::{InstallReport, REFUSAL_LIMIT, agent_renew, install_report};
use super::store::identity_replace;
use crate::app::App;
use crate::identity::authentication::tests::Visitor;
use crate::platform::http::listener::Peer;
use crate::platform::pki::{AgentName, Issued};
use crate::testing::TestApp;
use axum::extract::Request;
use axum::http::StatusCode;
use chrono::TimeDelta;
use ocore_shared::ids::{OrganizationId, ServerId};
use ocore_shared::protocol::enrollment::RenewRequest;
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;
use tower::ServiceExt;

fn report(token: &str, more: Value) -> InstallReport {
    let mut body = json!({"token": token});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(body).unwrap()
}

#[tokio::test]
async fn a_problem_is_shown_until_the_server_is_there_and_not_after() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let made = ada.post("/api/servers", json!({"name": "first"})).await.body;
    let token = made["install"]["command"].as_str().unwrap().split("--token ").nth(1).unwrap().to_owned();
    let id: ServerId = made["server"]["id"].as_str().unwrap().parse().unwrap();
    let path = format!("/api/servers/{id}");

    install_report(&test.app, report(&token, json!({"problem": "the disk\nis full"}))).await.unwrap();
    assert_eq!(ada.get(&path).await.body["install_problem"], "the diskis full");
    install_report(&test.app, report(&token, json!({"stage": "fetched"}))).await.unwrap();
    assert_eq!(ada.get(&path).await.body["install_problem"], Value::Null);

    let mut system = test.app.db.system().acquire().await.unwrap();
    sqlx::query("update servers set status = 'online' where id = $1").bind(id.0).execute(&mut *system).await.unwrap();
    install_report(&test.app, report(&token, json!({"problem": "tried elsewhere"}))).await.unwrap();
    assert_eq!(ada.get(&path).await.body["install_problem"], Value::Null);
}

#[tokio::test]
async fn a_machine_that_is_another_server_is_told_so() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let made = ada.post("/api/servers", json!({"name": "first"})).await.body;
    let token = made["install"]["command"].as_str().unwrap().split("--token ").nth(1).unwrap().to_owned();
    let enrolled_as = |id: &str| report(&token, json!({"enrolled_as": id}));
    install_report(&test.app, enrolled_as(made["server"]["id"].as_str().unwrap())).await.unwrap();
    let other = install_report(&test.app, enrolled_as(&ServerId::new().to_string())).await.unwrap_err();
    assert_eq!(other.code(), "enrolled_as_another");
}

/// An enrolled server, and what its certificate says.
async fn enrolled(test: &TestApp) -> AgentName {
    let (ada, answer) = Visitor::new(&test.app).bootstrap().await;
    let organization = answer.organization().parse().unwrap();
    let made = ada.post("/api/servers", json!({"name": "first"})).await.body;
    let server = made["server"]["id"].as_str().unwrap().parse().unwrap();
    let issued = issue(&test.app, organization, server);
    let mut tx = test.app.db.fleet().begin().await.unwrap();
    identity_replace(&mut tx, organization, server, &issued).await.unwrap();
    tx.commit().await.unwrap();
    AgentName { server, organization, serial: issued.serial }
}

fn csr() -> String {
    let request = rcgen::CertificateParams::default().serialize_request(&rcgen::KeyPair::generate().unwrap());
    request.unwrap().pem().unwrap()
}

fn issue(app: &App, organization: OrganizationId, server: ServerId) -> Issued {
    app.pki.agent_issue(&csr(), organization, server, TimeDelta::days(1), app.clock.now()).unwrap()
}

#[tokio::test]
async fn a_renewal_under_way_does_not_outlive_a_new_enrolment() {
    let test = TestApp::start().await;
    let name = enrolled(&test).await;
    agent_renew(&test.app, &name, RenewRequest { csr_pem: csr() }).await.unwrap();

    let mut tx = test.app.db.fleet().begin().await.unwrap();
    let next = issue(&test.app, name.organization, name.server);
    identity_replace(&mut tx, name.organization, name.server, &next).await.unwrap();
    let renewal = agent_renew(&test.app, &name, RenewRequest { csr_pem: csr() });
    let mut superuser = test.options.connect().await.unwrap();
    let enrolment = async {
        let waiting = "select exists (select from pg_stat_activity where datname = current_database()
                           and wait_event_type = 'Lock')";
        while !sqlx::query_scalar::<_, bool>(waiting).fetch_one(&mut superuser).await.unwrap() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tx.commit().await.unwrap();
    };
    let both = async { tokio::join!(renewal, enrolment).0 };
    let renewed =
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("the renewal waits for the enrolment");
    assert_eq!(renewed.unwrap_err().code(), "certificate_revoked");
    let good: Vec<String> = sqlx::query_scalar("select serial from server_identities where revoked_at is null")
        .fetch_all(test.app.db.system())
        .await
        .unwrap();
    assert_eq!(good, [next.serial]);
}

#[tokio::test]
async fn the_command_is_for_root_and_for_who_may_use_sudo() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let install = ada.post("/api/servers", json!({"name": "first"})).await.body["install"].clone();
    let programs = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/bin/sh", programs.path().join("sh")).unwrap();
    let said = |command: &str| {
        let (_, piped) = command.split_once(" | ").unwrap();
        let shell = format!("echo 'echo \"$@\"' | {piped}");
        let done = Command::new("/bin/sh").arg("-c").arg(shell).env("PATH", programs.path()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    let (command, uninstall) = (install["command"].as_str().unwrap(), install["uninstall_command"].as_str().unwrap());
    assert!(said(command).starts_with("--url https://") && said(command).contains(" --token "), "{}", said(command));
    assert_eq!(said(uninstall), "--uninstall\n");

    let sudo = programs.path().join("sudo");
    std::fs::write(&sudo, "#!/bin/sh\necho as root:\nexec \"$@\"\n").unwrap();
    std::fs::set_permissions(&sudo, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(said(uninstall), "as root:\n--uninstall\n");
}

/// What the agents' port answers to a token from that address.
async fn show(app: &App, from: &str, token: &str) -> (StatusCode, Option<u64>) {
    let peer = Peer { address: from.parse().unwrap(), tls: true, is_proxy: false, certificate: None };
    let body = json!({"token": token, "stage": "fetched"}).to_string();
    let request: Request = axum::http::Request::post("/agent/enroll").extension(peer).body(body.into()).unwrap();
    let answer = crate::router::agents(app).oneshot(request).await.unwrap();
    let wait = answer.headers().get("retry-after").map(|v| v.to_str().unwrap().parse().unwrap());
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    (answer.status(), wait)
}

#[tokio::test]
async fn wrong_tokens_lock_their_address_and_a_restart_does_not_unlock() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let made = ada.post("/api/servers", json!({"name": "first"})).await.body;
    let token = made["install"]["command"].as_str().unwrap().split("--token ").nth(1).unwrap().to_owned();
    let limit = usize::try_from(REFUSAL_LIMIT.refusals).unwrap();

    // Right ones do not count, however many.
    for _ in 0..limit + 5 {
        assert_eq!(show(&test.app, "192.0.2.9:1", &token).await.0, StatusCode::NO_CONTENT);
    }
    for _ in 0..limit {
        assert_eq!(show(&test.app, "192.0.2.7:1", "guess").await.0, StatusCode::UNAUTHORIZED);
    }
    let (status, wait) = show(&test.app, "192.0.2.7:2", "guess").await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!((1..=901).contains(&wait.unwrap()), "{wait:?}");
    let restarted = test.restart().await;
    assert_eq!(show(&restarted, "192.0.2.7:3", &token).await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(show(&restarted, "192.0.2.8:1", &token).await.0, StatusCode::NO_CONTENT, "another address is not");

    // Of many at once, too; the whole network of an IPv6 customer is one.
    let many = (0..50).map(|i| {
        let app = test.app.clone();
        async move { show(&app, &format!("[2001:db8::{i}]:1"), "guess").await.0 }
    });
    futures::future::join_all(many).await;
    assert_eq!(show(&test.app, "[2001:db8::ffff]:1", "guess").await.0, StatusCode::TOO_MANY_REQUESTS);

    test.clock.shift(REFUSAL_LIMIT.lock + TimeDelta::seconds(1));
    assert_eq!(show(&test.app, "192.0.2.7:4", "guess").await.0, StatusCode::UNAUTHORIZED);
}
