//! Mail reaches a real SMTP conversation, once and whole; what a server refuses is told.

use super::model::{Letter, Mail, MailStatus};
use super::service::mail_queue;
use super::store::{self, MailFilter};
use crate::app::App;
use crate::identity::authentication::tests::{Visitor, sign_in, stranger};
use crate::platform::http::Page;
use crate::platform::jobs::tasks::{self, store::task_claim_due};
use crate::platform::mail::model::MailTls;
use crate::testing::TestApp;
use axum::http::{Method, StatusCode};
use futures::future::join_all;
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// An SMTP server that keeps what it is given and answers RCPT as it is told to.
pub struct Sink {
    pub port: u16,
    mails: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<&'static str>>,
}

impl Sink {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let sink = Self { port, mails: Arc::default(), answer: Arc::new(Mutex::new("250 yes")) };
        let (mails, answer) = (sink.mails.clone(), sink.answer.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mails, answer) = (mails.clone(), answer.clone());
                tokio::spawn(async move {
                    let (read, mut write) = stream.into_split();
                    let mut lines = BufReader::new(read).lines();
                    write.write_all(b"220 sink\r\n").await.ok()?;
                    while let Some(line) = lines.next_line().await.ok()? {
                        let word = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
                        let reply = match word.as_str() {
                            "EHLO" => "250-sink\r\n250 8BITMIME".to_owned(),
                            "RCPT" => (*answer.lock().unwrap()).to_owned(),
                            "DATA" => {
                                write.write_all(b"354 go on\r\n").await.ok()?;
                                let mut text = String::new();
                                while let Some(line) = lines.next_line().await.ok()?.filter(|line| line != ".") {
                                    text += &line;
                                    text.push('\n');
                                }
                                mails.lock().unwrap().push(text);
                                "250 kept".to_owned()
                            }
                            "QUIT" => "221 bye".to_owned(),
                            _ => "250 ok".to_owned(),
                        };
                        write.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
                    }
                    Some(())
                });
            }
        });
        sink
    }

    pub fn answers(&self, line: &'static str) {
        *self.answer.lock().unwrap() = line;
    }

    /// Mails so far, with soft line breaks undone.
    pub fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().iter().map(|mail| mail.replace("=\n", "").replace("=3D", "=")).collect()
    }
}

/// The token of the link in a mail, or of the link itself.
pub fn link_token(text: &str) -> String {
    let (_, token) = text.split_once("token=").unwrap_or_else(|| panic!("no token in {text}"));
    token.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).next().unwrap_or_default().to_owned()
}

/// An application that hands its mail to the sink.
pub async fn with_sink(sink: &Sink) -> TestApp {
    let port = sink.port;
    TestApp::start_with(move |config| {
        config.smtp_host = Some("127.0.0.1".into());
        config.smtp_port = port;
        config.smtp_tls = MailTls::None;
        config.smtp_from = Some("oCore <noreply@example.com>".into());
    })
    .await
}

/// Carry out every task that is due now.
pub async fn work_off(app: &App) {
    loop {
        let due = task_claim_due(app.db.system(), app.replica, app.clock.now(), 10).await.unwrap();
        if due.is_empty() {
            return;
        }
        for task in due {
            let outcome = tasks::attempt(app, &task).await;
            tasks::task_settle(app, &task, outcome).await.unwrap();
        }
    }
}

async fn queue(app: &App, to: &str, letter: Letter) {
    let mut tx = app.db.system().begin().await.unwrap();
    mail_queue(&mut tx, app, &Mail { organization: None, to: to.into(), letter }).await.unwrap();
    tx.commit().await.unwrap();
}

async fn only(app: &App) -> super::model::MailView {
    let mut list = store::mail_list(app.db.system(), &MailFilter::default(), &Page::default()).await.unwrap();
    assert_eq!(list.len(), 1);
    list.pop().unwrap()
}

fn invitation(organization: &str) -> Letter {
    Letter::Invitation {
        organization: organization.into(),
        role: "viewer".into(),
        invited_by: "Ada".into(),
        link: "https://localhost:8080/invite#token=canary".into(),
    }
}

#[tokio::test]
async fn a_mail_is_sent_once_in_both_forms_and_forgotten() {
    let sink = Sink::start().await;
    let test = with_sink(&sink).await;
    queue(&test.app, "vic@example.com", invitation("Žluťoučký <b>kůň</b>")).await;
    work_off(&test.app).await;
    work_off(&test.app).await;
    let mails = sink.mails();
    assert_eq!(mails.len(), 1);
    for part in ["To: vic@example.com", "From: oCore <noreply@example.com>", "text/plain", "text/html", "token=canary"]
    {
        assert!(mails[0].contains(part), "{part} is missing in {}", mails[0]);
    }
    let html = mails[0].split("text/html").nth(1).unwrap();
    assert!(!html.contains("<b>k"), "what people typed is no markup");
    let mail = only(&test.app).await;
    assert_eq!(mail.status, MailStatus::Sent);
    let kept = store::mail_find(test.app.db.system(), mail.id).await.unwrap().unwrap();
    assert!(kept.sealed_body.is_none());
}

#[tokio::test]
async fn headers_cannot_be_smuggled_in() {
    let sink = Sink::start().await;
    let test = with_sink(&sink).await;
    queue(&test.app, "vic@example.com", invitation("Evil\r\nBcc: everybody@example.com")).await;
    queue(&test.app, "vic@example.com\r\nBcc: everybody@example.com", Letter::Test).await;
    work_off(&test.app).await;
    for mail in sink.mails() {
        let head = mail.split("\n\n").next().unwrap().to_owned();
        assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc")), "{head}");
    }
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let sink = Sink::start().await;
    let test = with_sink(&sink).await;
    sink.answers("451 later");
    queue(&test.app, "vic@example.com", Letter::Test).await;
    work_off(&test.app).await;
    let mail = only(&test.app).await;
    assert_eq!(mail.status, MailStatus::Queued);
    assert!(mail.problem.unwrap().contains("later"));
    sink.answers("250 yes");
    test.clock.shift(chrono::TimeDelta::minutes(2));
    work_off(&test.app).await;
    assert_eq!((only(&test.app).await.status, sink.mails().len()), (MailStatus::Sent, 1));

    let test = with_sink(&sink).await;
    sink.answers("550 unknown here");
    queue(&test.app, "nobody@example.com", Letter::Test).await;
    work_off(&test.app).await;
    let mail = only(&test.app).await;
    assert_eq!(mail.status, MailStatus::Failed);
    assert!(mail.problem.unwrap().contains("unknown here"));
}

#[tokio::test]
async fn without_a_server_mail_is_kept_for_the_administrator() {
    let test = TestApp::start().await;
    queue(&test.app, "vic@example.com", invitation("Example")).await;
    work_off(&test.app).await;
    assert_eq!(only(&test.app).await.status, MailStatus::Kept);
    let raw: Vec<u8> =
        sqlx::query_scalar("select sealed_body from mails").fetch_one(test.app.db.system()).await.unwrap();
    assert!(!raw.windows(6).any(|w| w == b"canary"));
}

#[tokio::test]
async fn kept_mail_is_opened_by_the_administrator_and_that_is_written_down() {
    let sink = Sink::start().await;
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    queue(&test.app, "vic@example.com", invitation("Example")).await;
    let list = ada.get("/api/admin/mails?status=kept&q=VIC").await.is(StatusCode::OK);
    assert_eq!(list.body["data"].as_array().unwrap().len(), 1);
    assert!(!list.body.to_string().contains("canary"));
    assert!(ada.get("/api/admin/mails?status=sent").await.body["data"].as_array().unwrap().is_empty());
    let path = format!("/api/admin/mails/{}", list.body["data"][0]["id"].as_str().unwrap());
    let opened = ada.get(&path).await.is(StatusCode::OK);
    assert_eq!(opened.text("link"), "https://localhost:8080/invite#token=canary");
    assert_eq!(opened.headers["cache-control"], "no-store");
    let audit: String = sqlx::query_scalar("select json_agg(a)::text from audit_log a where action = 'mail.opened'")
        .fetch_one(test.app.db.system())
        .await
        .unwrap();
    assert!(audit.contains("vic@example.com") && !audit.contains("canary"), "{audit}");

    let retry = format!("{path}/retry");
    ada.post(&retry, json!({})).await.refused(StatusCode::UNPROCESSABLE_ENTITY, "no_smtp_server");
    let mail = json!({ "host": "127.0.0.1", "port": sink.port, "tls": "none", "from_address": "noreply@example.com" });
    ada.send(Method::PUT, "/api/admin/settings", Some(json!({ "mail": mail }))).await.is(StatusCode::OK);
    let answers = join_all((0..50).map(|_| ada.post(&retry, json!({})))).await;
    assert_eq!(answers.iter().filter(|a| a.status == StatusCode::ACCEPTED).count(), 1);
    assert!(answers.iter().all(|a| a.status == StatusCode::ACCEPTED || a.code() == "mail_queued"), "{answers:?}");
    work_off(&test.app).await;
    assert_eq!(sink.mails().len(), 1);
    let opened = ada.get(&path).await.is(StatusCode::OK);
    assert_eq!((&opened.body["status"], &opened.body["text"]), (&json!("sent"), &json!(null)));
    ada.post(&retry, json!({})).await.refused(StatusCode::CONFLICT, "mail_sent");
    stranger(&test.app, "eve@example.com").await;
    let eve = sign_in(&test.app, "eve@example.com").await;
    eve.get(&path).await.refused(StatusCode::FORBIDDEN, "admin_required");
}

#[tokio::test]
async fn a_mail_that_nobody_takes_within_a_day_has_failed() {
    let sink = Sink::start().await;
    let test = with_sink(&sink).await;
    sink.answers("451 later");
    queue(&test.app, "vic@example.com", Letter::Test).await;
    for _ in 0..40 {
        work_off(&test.app).await;
        test.clock.shift(chrono::TimeDelta::minutes(61));
    }
    let mail = only(&test.app).await;
    assert_eq!(mail.status, MailStatus::Failed);
    assert!(mail.problem.unwrap().contains("later"));

    // Nobody was there to try: it is not "on its way" for ever.
    let test = with_sink(&sink).await;
    queue(&test.app, "vic@example.com", Letter::Test).await;
    test.clock.shift(chrono::TimeDelta::hours(25));
    tasks::store::task_end_overdue(test.app.db.system(), test.app.clock.now()).await.unwrap();
    store::mail_prune(test.app.db.system(), test.app.clock.now()).await.unwrap();
    assert_eq!(only(&test.app).await.status, MailStatus::Failed);
}
