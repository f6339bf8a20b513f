//! Every way of showing a credential, and every way of it being wrong.

use super::still_allowed;
use crate::app::App;
use crate::platform::http::ctx::{Access, Scope};
use crate::platform::http::listener::Peer;
use crate::platform::http::{Actor, Caller, Ctx, Permission, PermissionSet, Principal};
use crate::testing::TestApp;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::Response;
use futures::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

/// Somebody who sends requests to the port of people and programs.
#[derive(Clone)]
pub struct Visitor {
    router: Router,
    headers: Vec<(String, String)>,
    peer: String,
    tls: bool,
    certificate: Option<std::sync::Arc<[u8]>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Self { status: parts.status, headers: parts.headers, body }
    }

    /// Of a refusal: `/api` has it in the body, `/v1` in a header.
    pub fn code(&self) -> &str {
        let in_header = || self.headers.get("x-error-code")?.to_str().ok();
        self.body["error"]["code"].as_str().or_else(in_header).unwrap_or_default()
    }

    #[track_caller]
    pub fn is(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// Refused with that status and code.
    #[track_caller]
    pub fn refused(self, status: StatusCode, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.body);
    }

    /// `name=value` of each cookie that was set.
    pub fn cookies(&self) -> Vec<String> {
        let values = self.headers.get_all(header::SET_COOKIE).iter();
        values.map(|v| v.to_str().unwrap().split(';').next().unwrap().to_owned()).collect()
    }

    /// Of the first organization of who has signed in.
    pub fn organization(&self) -> String {
        self.body["user"]["organizations"][0]["id"].as_str().unwrap().to_owned()
    }

    pub fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.body)).to_owned()
    }
}

pub const PASSWORD: &str = "a quiet place 7";

impl Visitor {
    /// From this very machine, without any credential.
    pub fn new(app: &App) -> Self {
        let headers = vec![("host".into(), "localhost:8080".into())];
        Self {
            router: crate::router::people(app),
            headers,
            peer: "127.0.0.1:40000".into(),
            tls: false,
            certificate: None,
        }
    }

    pub fn from(mut self, peer: &str) -> Self {
        self.peer = peer.into();
        self
    }

    /// With a client certificate that the TLS layer has accepted.
    pub fn certificate(&self, der: &[u8]) -> Self {
        Self { tls: true, certificate: Some(der.into()), ..self.clone() }
    }

    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    pub fn with(&self, name: &str, value: impl Into<String>) -> Self {
        let mut other = self.clone();
        other.headers.push((name.into(), value.into()));
        other
    }

    /// What it sends as that header at first.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn bearer(&self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }

    /// The answer as soon as its head is there.
    pub async fn open(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        self.bring(method, path, body.map_or(Body::empty(), |b| Body::from(b.to_string()))).await
    }

    /// The same with a body of any kind.
    pub async fn bring(&self, method: Method, path: &str, body: Body) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let peer = Peer {
            address: self.peer.parse().unwrap(),
            tls: self.tls,
            is_proxy: false,
            certificate: self.certificate.clone(),
        };
        self.router.clone().oneshot(request.extension(peer).body(body).unwrap()).await.unwrap()
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        Answer::of(self.open(method, path, body).await).await
    }

    /// Until a stream ends that has begun: not before it is `told` to, and then within the promised time.
    pub async fn follow(&self, path: &str, told: impl Future) {
        let response = self.open(Method::GET, path, None).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let mut body = response.into_body().into_data_stream();
        let mut read = async || while body.next().await.is_some() {};
        tokio::select! {
            () = read() => panic!("{path} ended by itself"),
            _ = told => {}
        }
        tokio::time::timeout(Duration::from_secs(5), read()).await.unwrap_or_else(|_| panic!("{path} goes on"));
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Makes the first admin; the visitor that is signed in as them, and the answer.
    pub async fn bootstrap(&self) -> (Self, Answer) {
        let answer = self.post("/api/auth/bootstrap", first_admin()).await.is(StatusCode::CREATED);
        (self.bearer(&answer.text("access_token")), answer)
    }

    /// The person with that address, and the password of all.
    pub async fn signed_in(&self, email: &str) -> Self {
        let body = json!({ "email": email, "password": PASSWORD });
        self.bearer(&self.post("/api/auth/login", body).await.is(StatusCode::OK).text("access_token"))
    }

    /// A key with those permissions in the whole organization.
    pub async fn key(&self, name: &str, permissions: &[&str]) -> String {
        let body = json!({ "name": name, "permissions": permissions });
        self.post("/api/api-keys", body).await.is(StatusCode::CREATED).text("key")
    }
}

pub fn first_admin() -> Value {
    json!({ "email": "ada@example.com", "password": PASSWORD, "name": "Ada", "organization_name": "Example" })
}

/// A person who is in no organization.
pub async fn stranger(app: &App, email: &str) {
    let hash = app.auth.passwords.hash(&ocore_shared::secret::Secret::new(PASSWORD)).await.unwrap();
    let mut connection = app.db.system().acquire().await.unwrap();
    crate::identity::auth::store::user_insert(&mut connection, email, "Stranger", &hash, false).await.unwrap();
}

pub async fn sign_in(app: &App, email: &str) -> Visitor {
    Visitor::new(app).signed_in(email).await
}

/// Somebody new who holds that role of the organization, in a scope of it.
pub async fn member(app: &App, organization: &str, email: &str, role: &str, scope: (&str, &str)) {
    stranger(app, email).await;
    let (scope, scope_id) = scope;
    let sql = format!(
        "with u as (select id from users where email = '{email}'),
         m as (insert into memberships (organization_id, user_id) select '{organization}', u.id from u)
         insert into grants (id, organization_id, principal_type, principal_id, role_id, scope_type, scope_id)
         select gen_random_uuid(), r.organization_id, 'user', u.id, r.id, '{scope}', '{scope_id}' from u, roles r
         where r.organization_id = '{organization}' and r.name = '{role}'"
    );
    run(app, &sql).await;
}

/// What a handler gets of the first admin, who is made and signed in here, on a route for terminals on servers.
pub async fn first_admins_request(app: &App) -> Ctx {
    let (_, answer) = Visitor::new(app).bootstrap().await;
    let user = answer.body["user"]["id"].as_str().unwrap().parse().unwrap();
    let organization = answer.organization().parse().unwrap();
    let claims = app.auth.tokens.access_read(&answer.text("access_token"), app.clock.now()).unwrap();
    Ctx {
        caller: Arc::new(Caller {
            principal: Principal::Person { user, session: claims.sid, is_admin: true },
            actor: Actor::system(),
            request_id: String::new(),
            address: None,
            user_agent: None,
            idempotency_claim: None,
        }),
        organization,
        access: Arc::new(Access { grants: vec![(Scope::Organization, PermissionSet::all())], is_owner: true }),
        permission: Permission::TerminalServers,
    }
}

pub async fn run(app: &App, sql: &str) {
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(app.db.system()).await.unwrap();
}

#[tokio::test]
async fn all_four_forms_of_a_key_work_and_nothing_else_does() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let key = ada.key("robot", &["view:projects"]).await;
    assert!(key.starts_with("ocore_k_"));
    for good in [
        anyone.with("authorization", format!("Bearer {key}")),
        anyone.with("Authorization", format!("apikey {key}")),
        anyone.with("AUTHORIZATION", format!("ApiKey {key}")),
        anyone.with("X-API-KEY", key.clone()),
    ] {
        let projects = good.get("/api/projects").await.is(StatusCode::OK);
        assert_eq!(projects.body["data"][0]["slug"], "default");
    }
    let other = if key.ends_with('x') { 'y' } else { 'x' };
    let mistyped = format!("{}{other}", &key[..key.len() - 1]);
    for bad in [
        anyone.clone(),
        anyone.with("x-agent-token", key.clone()),
        anyone.with("x-api-key", mistyped),
        anyone.with("x-api-key", ""),
        anyone.with("authorization", key.clone()),
        anyone.with("authorization", format!("Basic {key}")),
        anyone.bearer("ocore_k_abc123xyz"),
        anyone.bearer("not.a.token"),
        anyone.bearer(crate::identity::api_keys::model::key_make("ocore_k_").expose()),
    ] {
        let answer = bad.get("/api/projects").await;
        assert!(answer.headers.contains_key("www-authenticate"));
        answer.refused(StatusCode::UNAUTHORIZED, "unauthenticated");
    }
    // What a key may not do.
    let robot = anyone.bearer(&key);
    robot.get("/api/roles").await.refused(StatusCode::FORBIDDEN, "permission_denied");
    robot.get("/api/user").await.refused(StatusCode::FORBIDDEN, "person_required");
    robot.post("/api/orgs", json!({ "name": "Mine" })).await.refused(StatusCode::FORBIDDEN, "person_required");
    assert_eq!(robot.get("/api/orgs").await.body["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_revoked_expired_or_misplaced_key_says_so() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;

    let revoked = ada.key("revoked", &["view:projects"]).await;
    let robot = anyone.bearer(&revoked);
    robot.get("/api/projects").await.is(StatusCode::OK);
    let list = ada.get("/api/api-keys?name=revoked").await.is(StatusCode::OK);
    let id = list.body["data"][0]["id"].as_str().unwrap().to_owned();
    ada.delete(&format!("/api/api-keys/{id}")).await.is(StatusCode::NO_CONTENT);
    robot.get("/api/projects").await.refused(StatusCode::FORBIDDEN, "key_revoked");

    let expired = ada.key("expired", &["view:projects"]).await;
    run(&test.app, "update api_keys set expires_at = now() - interval '1 second' where name = 'expired'").await;
    anyone.bearer(&expired).get("/api/projects").await.refused(StatusCode::FORBIDDEN, "key_expired");

    let body = json!({ "name": "placed", "permissions": ["view:projects"], "allowed_addresses": ["192.0.2.0/24"] });
    let placed = ada.post("/api/api-keys", body).await.is(StatusCode::CREATED).text("key");
    anyone.bearer(&placed).get("/api/projects").await.refused(StatusCode::FORBIDDEN, "address_refused");
    anyone.clone().from("192.0.2.9:1").bearer(&placed).get("/api/projects").await.is(StatusCode::OK);
    let pretender = anyone.bearer(&placed).with("x-forwarded-for", "192.0.2.9");
    pretender.get("/api/projects").await.refused(StatusCode::FORBIDDEN, "address_refused");

    // The maker's account is closed: their keys are too.
    let orphan = ada.key("orphan", &["view:projects"]).await;
    run(&test.app, "update users set deactivated_at = now()").await;
    anyone.bearer(&orphan).get("/api/projects").await.refused(StatusCode::FORBIDDEN, "key_revoked");
}

#[tokio::test]
async fn an_organization_is_chosen_and_never_another_ones() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let key = ada.key("robot", &["view:org"]).await;
    let own = ada.get("/api/org").await.is(StatusCode::OK);
    assert_eq!(own.body["slug"], "example");
    let id = own.text("id");

    stranger(&test.app, "eve@example.com").await;
    let eve = sign_in(&test.app, "eve@example.com").await;
    eve.get("/api/org").await.refused(StatusCode::BAD_REQUEST, "validation_error");
    for named in ["example", id.as_str(), "no-such-org", "0190f5e2-7cc0-7a3c-9d3e-5d8b3b0e9c11", ""] {
        eve.with("x-org-slug", named).get("/api/org").await.refused(StatusCode::NOT_FOUND, "not_found");
    }
    eve.get("/api/org?org=%00").await.refused(StatusCode::NOT_FOUND, "not_found");
    eve.get("/api/org?org=example").await.refused(StatusCode::NOT_FOUND, "not_found");
    let other = eve.post("/api/orgs", json!({ "name": "Eve & Sons" })).await.is(StatusCode::CREATED);
    assert_eq!(other.body["slug"], "eve-sons");
    assert_eq!(eve.get("/api/org").await.is(StatusCode::OK).body["slug"], "eve-sons");

    // A key is of one organization.
    let robot = anyone.bearer(&key);
    robot.with("x-org-slug", id.as_str()).get("/api/org").await.is(StatusCode::OK);
    for named in ["eve-sons", "no-such-org"] {
        robot.with("x-org-slug", named).get("/api/org").await.refused(StatusCode::FORBIDDEN, "org_mismatch");
    }

    // With a second one, it must be named; a former slug answers until its time is over.
    ada.post("/api/orgs", json!({ "name": "Second", "slug": "second" })).await.is(StatusCode::CREATED);
    let unnamed = ada.get("/api/org").await.is(StatusCode::BAD_REQUEST);
    assert_eq!(unnamed.body["error"]["details"]["field"], "X-Org-Slug");
    run(&test.app, "insert into organization_slugs select 'former', id, now() + interval '1 day' from organizations where slug = 'second'").await;
    run(&test.app, "insert into organization_slugs select 'long-ago', id, now() - interval '1 day' from organizations where slug = 'second'").await;
    let former = ada.with("x-org-slug", "former").get("/api/org").await.is(StatusCode::OK);
    assert_eq!(former.body["slug"], "second");
    ada.with("x-org-slug", "long-ago").get("/api/org").await.is(StatusCode::NOT_FOUND);
    let taken = ada.post("/api/orgs", json!({ "name": "Another", "slug": "former" })).await;
    taken.refused(StatusCode::CONFLICT, "slug_taken");
}

#[tokio::test]
async fn a_cookie_counts_only_on_our_own_pages() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let plain = anyone.with("x-session", "cookie").bootstrap_with_cookies().await;
    assert!(plain[0].starts_with("ocore_session=") && plain[1].starts_with("ocore_refresh="), "{plain:?}");
    let page = anyone.with("cookie", plain[0].clone());
    page.get("/api/user").await.is(StatusCode::OK);
    let body = || json!({ "name": "Second" });
    page.post("/api/orgs", body()).await.refused(StatusCode::FORBIDDEN, "origin_refused");
    let evil = page.with("origin", "https://evil.test");
    evil.post("/api/orgs", body()).await.refused(StatusCode::FORBIDDEN, "origin_refused");
    evil.with("upgrade", "websocket").get("/api/user").await.refused(StatusCode::FORBIDDEN, "origin_refused");
    let ours = page.with("origin", "http://localhost:8080");
    ours.post("/api/orgs", body()).await.is(StatusCode::CREATED);

    // Over HTTPS only the name that browsers protect is read, and a header wins over it.
    let value = plain[0].split_once('=').unwrap().1;
    let https = anyone.clone().tls();
    https.with("cookie", plain[0].clone()).get("/api/user").await.is(StatusCode::UNAUTHORIZED);
    https.with("cookie", format!("__Host-ocore_session={value}")).get("/api/user").await.is(StatusCode::OK);
    page.bearer("nonsense").get("/api/user").await.is(StatusCode::UNAUTHORIZED);

    // Refreshing by cookie needs our page as well; logging out clears both.
    let refresh = anyone.with("cookie", plain[1].clone()).with("x-session", "cookie");
    refresh.post("/api/auth/refresh", json!({})).await.refused(StatusCode::FORBIDDEN, "origin_refused");
    let refreshed = refresh.with("origin", "http://localhost:8080").post("/api/auth/refresh", json!({})).await;
    let refreshed = refreshed.is(StatusCode::OK);
    assert!(refreshed.body.get("access_token").is_none() && refreshed.body.get("refresh_token").is_none());
    assert_eq!(refreshed.cookies().len(), 2);
    let out = ours.post("/api/auth/logout", json!({})).await.is(StatusCode::NO_CONTENT);
    assert_eq!(out.cookies(), ["ocore_session=", "ocore_refresh="]);
    page.get("/api/user").await.refused(StatusCode::UNAUTHORIZED, "session_ended");
}

impl Visitor {
    async fn bootstrap_with_cookies(&self) -> Vec<String> {
        let answer = self.post("/api/auth/bootstrap", first_admin()).await.is(StatusCode::CREATED);
        assert!(answer.body.get("access_token").is_none() && answer.body.get("refresh_token").is_none());
        assert_eq!(answer.body["user"]["organizations"][0]["role"], "owner");
        answer.cookies()
    }
}

#[tokio::test]
async fn a_ticket_opens_one_socket_at_one_path_once() {
    let test = TestApp::start().await;
    let anyone = Visitor::new(&test.app);
    let (ada, _) = anyone.bootstrap().await;
    let ticket = async || {
        let body = json!({ "target": "/api/org" });
        ada.post("/api/auth/ws-ticket", body).await.is(StatusCode::OK).text("ticket")
    };
    let socket = anyone.with("upgrade", "websocket");

    let first = ticket().await;
    socket.get(&format!("/api/org?ticket={first}")).await.is(StatusCode::OK);
    socket.get(&format!("/api/org?ticket={first}")).await.refused(StatusCode::UNAUTHORIZED, "ticket_refused");

    // Bound to its path, spent by trying, no credential of ordinary requests, and refused to other sites' pages.
    let second = ticket().await;
    socket.get(&format!("/api/roles?ticket={second}")).await.refused(StatusCode::UNAUTHORIZED, "ticket_refused");
    socket.get(&format!("/api/org?ticket={second}")).await.refused(StatusCode::UNAUTHORIZED, "ticket_refused");
    let third = ticket().await;
    anyone.get(&format!("/api/org?ticket={third}")).await.refused(StatusCode::UNAUTHORIZED, "unauthenticated");
    let evil = socket.with("origin", "https://evil.test");
    evil.get(&format!("/api/org?ticket={third}")).await.refused(StatusCode::FORBIDDEN, "origin_refused");

    let late = ticket().await;
    run(&test.app, "update websocket_tickets set expires_at = now() - interval '1 second'").await;
    socket.get(&format!("/api/org?ticket={late}")).await.refused(StatusCode::UNAUTHORIZED, "ticket_refused");

    // Many at once: one.
    let shared = format!("/api/org?ticket={}", ticket().await);
    let tries = (0..20).map(|_| socket.get(&shared));
    let won = futures::future::join_all(tries).await.iter().filter(|a| a.status == StatusCode::OK).count();
    assert_eq!(won, 1);

    // It is worth no more than the session that asked for it.
    let orphan = ticket().await;
    ada.post("/api/auth/logout", json!({})).await.is(StatusCode::NO_CONTENT);
    socket.get(&format!("/api/org?ticket={orphan}")).await.refused(StatusCode::UNAUTHORIZED, "session_ended");

    let query = json!({ "target": "/api/org?x=1" });
    sign_in(&test.app, "ada@example.com").await.post("/api/auth/ws-ticket", query).await.is(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_long_request_ends_with_what_allowed_it() {
    let test = TestApp::start().await;
    let ctx = first_admins_request(&test.app).await;
    assert!(still_allowed(&test.app, &ctx).await);
    run(&test.app, "update grants set role_id = (select id from roles where name = 'viewer')").await;
    assert!(!still_allowed(&test.app, &ctx).await);
    run(&test.app, "update grants set role_id = (select id from roles where name = 'admin')").await;
    assert!(still_allowed(&test.app, &ctx).await);
    run(&test.app, "update sessions set revoked_at = now()").await;
    assert!(!still_allowed(&test.app, &ctx).await);
}
