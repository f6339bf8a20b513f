//! What nobody should send, sent to every route that takes it: fields that are not theirs, characters that cannot be
//! stored, and texts that a shell would carry out.

use super::walk_tests::{Operation, World};
use crate::identity::authentication::tests::{Answer, Visitor};
use crate::testing::TestApp;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tower::ServiceExt;
use uuid::Uuid;

/// What objects have and nobody sets by asking for it.
const NOT_THEIRS: [&str; 12] = [
    "id",
    "organization_id",
    "user_id",
    "is_admin",
    "is_system",
    "is_owner",
    "version",
    "created_at",
    "updated_at",
    "password_hash",
    "token_hash",
    "revoked_at",
];

/// Whether a refusal tells of that field: `/api` has a list for it, `/v1` a sentence.
fn names(answer: &Answer, field: &str) -> bool {
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match &answer.body["error"] {
        Value::String(sentence) => sentence.split(|c| !in_word(c)).any(|word| word == field),
        error => error["errors"].as_array().is_some_and(|all| all.iter().any(|problem| problem["field"] == field)),
    }
}

async fn send(world: &World, operation: &Operation, body: &Value) -> Answer {
    let visitor = if operation.permission == "public" { &world.anyone } else { &world.ada };
    // Whatever gets through all the same changes nothing that the next one needs.
    let visitor = visitor.with("if-match", "\"987654321\"");
    visitor.send(operation.method.clone(), &world.path(&visitor, operation), Some(body.clone())).await
}

/// The fields of the JSON body that it takes.
fn fields<'a>(world: &'a World, operation: &'a Operation) -> Option<&'a Map<String, Value>> {
    world.document.body_schema(operation)?["properties"].as_object()
}

/// Operations with a JSON body, and its fields' names with their schemas.
fn with_bodies(world: &World) -> impl Iterator<Item = (&Operation, &Map<String, Value>)> {
    world.document.operations().iter().filter_map(|operation| Some((operation, fields(world, operation)?)))
}

#[tokio::test]
async fn nobody_sets_what_is_not_theirs_to_set() {
    let world = World::new().await;
    // What authenticators answer is the browser's form, which may grow: what is unknown in it is passed over.
    let is_ours = |operation: &Operation| !operation.id.starts_with("passkey_");
    for (operation, known) in with_bodies(&world).filter(|(operation, _)| is_ours(operation)) {
        // What another surface calls otherwise is called so there alone.
        let elsewhere = fields(&world, world.document.canonical(&operation.id)).into_iter().flat_map(Map::keys);
        let not_theirs = elsewhere.map(String::as_str).chain(NOT_THEIRS).filter(|field| !known.contains_key(*field));
        for field in not_theirs {
            let mut body = world.sample(operation).unwrap();
            body[field] = json!("mine");
            let answer = send(&world, operation, &body).await;
            let refused = answer.status == StatusCode::BAD_REQUEST && names(&answer, field);
            // A version that does not fit may be noticed first.
            assert!(
                refused || answer.status == StatusCode::PRECONDITION_FAILED,
                "{} takes {field}: {} {}",
                operation.title,
                answer.status,
                answer.body
            );
        }
    }
}

#[tokio::test]
async fn what_was_read_may_be_sent_back_and_only_what_is_changeable_changes() {
    let world = World::new().await;
    let operations = world.document.operations();
    let mut tried = 0;
    for (operation, known) in with_bodies(&world) {
        let is_change = operation.method == Method::PATCH || operation.method == Method::PUT;
        let is_readable = operations.iter().any(|o| o.method == Method::GET && o.path == operation.path);
        if !is_change || !is_readable || !operation.is_guarded() {
            continue;
        }
        let path = world.path(&world.ada, operation);
        let answer = world.ada.get(&path).await;
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            // A server holds it, and none is here.
            continue;
        }
        tried += 1;
        let present = answer.is(StatusCode::OK).body;
        let back = world.ada.send(operation.method.clone(), &path, Some(present.clone())).await;
        assert!(back.status.is_success(), "{}: {present} cannot be sent back: {}", operation.title, back.body);
        let mut present = world.ada.get(&path).await.body;
        for (field, value) in present.as_object().unwrap().clone() {
            if known.contains_key(&field) {
                continue;
            }
            let other = match &value {
                Value::Number(number) => json!(number.as_f64().unwrap() + 1.0),
                Value::Bool(flag) => json!(!flag),
                Value::String(text) if Uuid::parse_str(text).is_ok() => json!(Uuid::now_v7()),
                _ => json!("other"),
            };
            let answer = world.ada.send(operation.method.clone(), &path, Some(json!({&field: other}))).await;
            let title = format!("{} with another {field}", operation.title);
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{title}: {}", answer.body);
            assert!(names(&answer, &field), "{title}: {}", answer.body);
        }
        let mut after = world.ada.get(&path).await.body;
        for moving in ["updated_at", "version"] {
            (present[moving], after[moving]) = (Value::Null, Value::Null);
        }
        assert_eq!(present, after, "{}", operation.title);
    }
    assert!(tried >= 5, "only {tried} objects were tried");
}

#[tokio::test]
async fn nul_is_refused_in_every_text_by_name() {
    let world = World::new().await;
    for (operation, known) in with_bodies(&world) {
        for (field, schema) in known.iter().filter(|(_, schema)| world.document.is_text(schema)) {
            let mut body = world.sample(operation).unwrap();
            body[field] = json!("a\u{0}b");
            let answer = send(&world, operation, &body).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{} {field} {schema}: {}", operation.title, answer.body);
            assert!(names(&answer, field), "{} {field}: {}", operation.title, answer.body);
        }
    }
    for operation in world.document.operations() {
        let parameters = operation.raw["parameters"].as_array().cloned().unwrap_or_default();
        // Of the event stream the header wins over `org`, and what is no id is not watched.
        let kept = |p: &&Value| p["in"] == "query" && operation.id != "event_list";
        for parameter in parameters.iter().filter(kept) {
            let other = (parameter["name"].as_str().unwrap(), "a%00b");
            let path = world.path_with(&world.ada, operation, Some(other));
            let status = world.ada.open(operation.method.clone(), &path, world.sample(operation)).await.status();
            assert!(status.is_client_error(), "{} {path}: {status}", operation.title);
        }
        if operation.path.contains('{') {
            let path =
                operation.path.split('/').map(|p| if p.starts_with('{') { "a%00b" } else { p }).collect::<Vec<_>>();
            let status =
                world.ada.open(operation.method.clone(), &path.join("/"), world.sample(operation)).await.status();
            assert!(status.is_client_error(), "{} {path:?}: {status}", operation.title);
        }
    }
}

#[tokio::test]
async fn no_text_is_carried_out() {
    let world = World::new().await;
    let canary = std::env::temp_dir().join(format!("ocore-canary-{}", Uuid::now_v7()));
    let file = canary.display().to_string();
    let payloads = [
        format!("; touch {file}"),
        format!("$(touch {file})"),
        format!("`touch {file}`"),
        format!("x\ntouch {file}\n"),
        format!("| touch {file} #"),
        format!("' ; touch {file} ; '"),
        format!("--upload-pack=touch {file}"),
        format!("-oProxyCommand=touch {file}"),
        format!("ext::sh -c touch% {file}"),
        format!("'; copy (select 1) to program 'touch {file}'; --"),
        "../../../../etc/passwd".into(),
        "{{7*7}}${7*7}<%= 7*7 %>".into(),
    ];
    for (operation, known) in with_bodies(&world) {
        // What /v1 passes on as it is was tried where it goes.
        let canonical = fields(&world, world.document.canonical(&operation.id));
        let is_passed = |field: &str| operation.is_v1() && canonical.is_some_and(|known| known.contains_key(field));
        let texts = known.iter().filter(|(_, schema)| world.document.is_text(schema));
        for (field, _) in texts.filter(|(field, _)| !is_passed(field)) {
            for payload in &payloads {
                let mut body = world.sample(operation).unwrap();
                body[field] = json!(payload);
                let status = send(&world, operation, &body).await.status;
                let broken = status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE;
                assert!(!broken, "{} with {field} = {payload}: {status}", operation.title);
            }
        }
    }
    for operation in world.document.operations().iter().filter(|o| o.method == Method::GET && !o.is_v1()) {
        for parameter in operation.raw["parameters"].as_array().into_iter().flatten().filter(|p| p["in"] == "query") {
            for payload in &payloads {
                let query: String = form_urlencoded::byte_serialize(payload.as_bytes()).collect();
                let other = (parameter["name"].as_str().unwrap(), query.as_str());
                let path = world.path_with(&world.ada, operation, Some(other));
                let status = world.ada.open(Method::GET, &path, None).await.status();
                let broken = status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE;
                assert!(!broken, "{path}: {status}");
            }
        }
    }
    assert!(!canary.exists(), "something carried a text out");
}

async fn raw(test: &TestApp, ada: &str, kind: &str, body: impl Into<Body>) -> (StatusCode, Value) {
    let request = Request::post("/api/roles")
        .header("authorization", format!("Bearer {ada}"))
        .header("content-type", kind)
        .body(body.into())
        .unwrap();
    let answer = crate::router::people(&test.app).oneshot(request).await.unwrap();
    let status = answer.status();
    let bytes = axum::body::to_bytes(answer.into_body(), 64 * 1024).await.expect("a small answer");
    (status, serde_json::from_slice(&bytes).expect("the error's body"))
}

#[tokio::test]
async fn bodies_that_are_no_json_of_ours_are_refused() {
    let test = TestApp::start().await;
    let (_, answer) = Visitor::new(&test.app).bootstrap().await;
    let token = answer.text("access_token");
    let constraint = |body: &Value| body["error"]["details"]["constraint"].as_str().unwrap_or_default().to_owned();
    let json = "application/json";
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("depth", "[".repeat(1_000_000).into_bytes()),
        ("depth", r#"{"name":"#.repeat(100_000).into_bytes()),
        ("max_length", format!(r#"{{"name": "{}"}}"#, "x".repeat(1024 * 1024)).into_bytes()),
        ("json", b"{\"name\": \"\xff\xfe\"}".to_vec()),
        ("json", b"\x00".to_vec()),
        ("json", b"{\"name\": \"abc\"} {}".to_vec()),
        ("json", "\u{feff}{}".as_bytes().to_vec()),
        ("duplicate", br#"{"name": "abc", "permissions": ["view:org"], "name": "def"}"#.to_vec()),
        ("characters", br#"{"name": "a\u0000bc", "permissions": ["view:org"]}"#.to_vec()),
        ("type", b"[]".to_vec()),
        ("type", br#"{"name": {"a": 1}, "permissions": []}"#.to_vec()),
    ];
    for (expected, body) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let (status, answer) = raw(&test, &token, json, body).await;
        assert_eq!((status, constraint(&answer).as_str()), (StatusCode::BAD_REQUEST, expected), "{shown}: {answer}");
    }
    for kind in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"] {
        let (status, answer) = raw(&test, &token, kind, "{}").await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
        assert_eq!(answer["error"]["code"], "unsupported_media_type");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_which_are_right() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    for method in [Method::PUT, Method::TRACE, Method::from_bytes(b"BREW").unwrap()] {
        let answer = ada.send(method.clone(), "/api/roles", None).await.is(StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.code(), "method_not_allowed", "{method}");
        let allowed = answer.headers["allow"].to_str().unwrap().to_owned();
        assert!(allowed.contains("GET") && allowed.contains("POST") && !allowed.contains("PUT"), "{allowed}");
    }
    ada.get("/api/no-such-thing").await.refused(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn a_panic_is_an_answer_and_says_nothing_of_its_cause() {
    async fn defect() -> &'static str {
        panic!("the secret cause")
    }
    let router = axum::Router::new()
        .route("/", axum::routing::get(defect))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(super::panicked))
        .layer(axum::middleware::from_fn(crate::platform::http::layers::observe));
    let answer = router.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.headers().contains_key("x-request-id"));
    let body = axum::body::to_bytes(answer.into_body(), 64 * 1024).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"]["code"], "internal");
    assert!(!body.to_string().contains("secret cause"));
}
