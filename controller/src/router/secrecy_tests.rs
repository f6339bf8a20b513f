//! Canaries in every secret field: none may sing in the log, in the database or in another answer.

use super::walk_tests::World;
use crate::identity::authentication::tests::PASSWORD;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Row};
use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

const CANARY: &str = "zz-canary-secret-8";

/// The log, as it would be written.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Every row of every table as text.
async fn dump(world: &World) -> String {
    let mut connection = world.test.options.connect().await.unwrap();
    let sql =
        "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'";
    let mut everything = String::new();
    for table in sqlx::query(sql).fetch_all(&mut connection).await.unwrap() {
        let name: String = table.get(0);
        let sql = format!("select coalesce(string_agg(t::text, e'\\n'), '') from {name} t");
        let rows: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
        let _ = writeln!(everything, "{name}: {rows}");
    }
    assert!(everything.contains("view:servers") && everything.contains("ada@example.com"), "the dump is whole");
    everything
}

/// The secrets that an answer gives away on purpose, this once.
fn given(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match inner.as_str() {
                    Some(text)
                        if ["access_token", "refresh_token", "key", "ticket", "token", "secret"]
                            .contains(&key.as_str()) =>
                    {
                        found.push(text.to_owned());
                    }
                    Some(text) if ["command", "install_command", "link"].contains(&key.as_str()) => {
                        let token = text.rsplit(['=', ' ', '/']).next().unwrap_or_default();
                        found.push(token.to_owned());
                    }
                    _ => given(inner, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| given(inner, found)),
        _ => {}
    }
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[tokio::test]
async fn no_secret_is_logged_stored_or_told_again() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("trace"))
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    // With just one subscriber tracing asks only the thread that meets a place in the code first whether anybody listens
    // there, and other tests' threads have none: a second one makes it ask for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::new().await;
    let mut secrets = vec![CANARY.to_owned(), PASSWORD.to_owned()];

    let spare = world.member("spare", "viewer", "organization", &world.organization).await;
    // Every operation with a secret in its body, once with a canary and once with what may be right.
    let mut fields = 0;
    for operation in world.document.operations() {
        let Some(schema) = world.document.body_schema(operation) else { continue };
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        let is_secret = |schema: &Value| world.document.resolve(schema)["format"] == "password";
        for (field, _) in properties.iter().filter(|(_, schema)| is_secret(schema)) {
            fields += 1;
            // What somebody does to their own account is done by a spare person.
            let visitor = match operation.permission.as_str() {
                "public" => world.anyone.clone(),
                "user" => spare.clone(),
                _ => world.ada.clone(),
            };
            let visitor = visitor.with("if-match", "\"987654321\"");
            for value in [json!(CANARY), json!([CANARY]), json!({CANARY: CANARY})] {
                let mut body = world.sample(operation).unwrap();
                body[field] = value;
                let answer = visitor.send(operation.method.clone(), &world.path(&visitor, operation), Some(body)).await;
                let told = answer.body.to_string();
                assert!(
                    answer.status.is_success() || !told.contains(CANARY),
                    "{} tells {field}: {told}",
                    operation.title
                );
            }
        }
    }
    assert!(fields >= 5, "only {fields} secret fields were found");

    // What is given once: tokens, keys, tickets, links.
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let anyone = &world.anyone;
    let session = anyone.post("/api/auth/login", body).await.is(StatusCode::OK);
    given(&session.body, &mut secrets);
    let refreshed = anyone.post("/api/auth/refresh", json!({"refresh_token": session.text("refresh_token")})).await;
    given(&refreshed.is(StatusCode::OK).body, &mut secrets);
    let key = world.ada.key("canary", &["view:org"]).await;
    secrets.push(key.clone());
    anyone.bearer(&key).get("/api/org").await.is(StatusCode::OK);
    for (path, body) in [
        ("/api/servers", json!({"name": "canary"})),
        ("/api/auth/ws-ticket", json!({"target": "/api/org"})),
        ("/v1/nodes/register-token", json!({"name": "second"})),
        ("/v1/api-tokens", json!({"name": "second"})),
        ("/v1/auth/login", json!({"email": "ada@example.com", "password": PASSWORD})),
    ] {
        let answer = world.ada.post(path, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
        given(&answer.body, &mut secrets);
    }
    assert!(secrets.len() >= 13 && secrets.iter().all(|s| s.len() > 10), "{secrets:?}");

    // Everything that can be read now.
    let mut answers = String::new();
    for operation in world.document.operations().iter().filter(|o| o.method == Method::GET) {
        let streams = operation.raw.pointer("/responses/200/content/text~1event-stream").is_some();
        if streams || operation.raw["responses"].get("101").is_some() {
            continue;
        }
        let answer = world.ada.get(&world.path(&world.ada, operation)).await;
        let _ = writeln!(answers, "{}: {}", operation.title, answer.body);
    }
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.contains("answered"), "the log is captured");
    let dump = dump(&world).await;
    for secret in &secrets {
        for (place, text) in [("the log", &log), ("the database", &dump), ("an answer", &answers)] {
            assert!(!text.contains(secret.as_str()), "{secret} is in {place}: {}", around(text, secret));
            let hex = hex(secret);
            assert!(!text.contains(&hex), "{secret} is in {place} as bytes: {}", around(text, &hex));
        }
    }
}

/// Where it was found, for whoever has to mend it.
fn around<'a>(text: &'a str, found: &str) -> &'a str {
    let Some(at) = text.find(found) else { return "" };
    let begin = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
    let mut from = at.saturating_sub(300).max(begin);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let mut to = (at + 100).min(end);
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    &text[from..to]
}
