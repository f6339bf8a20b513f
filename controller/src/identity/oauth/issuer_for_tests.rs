//! An issuer of OpenID Connect, and a GitHub, that really sign and can be told to cheat.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ocore_shared::clock::{Clock, ShiftedClock};
use openidconnect::url::Url;
use rcgen::KeyPair;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

pub const CLIENT: &str = "ocore";
pub const SECRET: &str = "a client secret";

/// How the issuer cheats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cheat {
    No,
    OtherNonce,
    NoNonce,
    OtherAudience,
    OtherIssuer,
    Expired,
    OtherKey,
    Unsigned,
    /// Signed with the client secret, which is no proof of the issuer.
    SharedSecret,
    OtherAccessToken,
    NoIdToken,
}

/// Somebody at the issuer, and what was asked for.
pub struct Desk {
    url: String,
    clock: ShiftedClock,
    key: KeyPair,
    pub cheat: Cheat,
    claims: Value,
    pub emails: Value,
    pub only_userinfo: bool,
    /// Codes that were handed out, with the parameters of their requests.
    codes: HashMap<String, HashMap<String, String>>,
}

#[derive(Clone)]
pub struct Issuer(Arc<Mutex<Desk>>);

type Reply = (StatusCode, Json<Value>);

impl Issuer {
    pub async fn start(clock: &ShiftedClock) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let desk = Desk {
            url,
            clock: clock.clone(),
            key: KeyPair::generate().unwrap(),
            cheat: Cheat::No,
            claims: json!({ "sub": "elsewhere-1", "email": "grace@example.com", "email_verified": true, "name": "Grace" }),
            emails: json!([{ "email": "grace@example.com", "primary": true, "verified": true }]),
            only_userinfo: false,
            codes: HashMap::new(),
        };
        let issuer = Self(Arc::new(Mutex::new(desk)));
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .route("/login/oauth/access_token", post(github_token))
            .nest("/api/v3/user", Router::new().route("/", get(github_user)).route("/emails", get(github_emails)))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        issuer
    }

    pub fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap()
    }

    pub fn url(&self) -> String {
        self.desk().url.clone()
    }

    pub fn is(&self, claims: Value) {
        self.desk().claims = claims;
    }

    /// The person says yes: where the browser is sent back to.
    pub fn consent(&self, location: &str) -> String {
        let asked = query(location);
        assert_eq!((asked["client_id"].as_str(), asked["response_type"].as_str()), (CLIENT, "code"));
        assert_eq!(asked["code_challenge_method"], "S256");
        let code = format!("code-{}", rand::random::<u64>());
        let back = Url::parse(&asked["redirect_uri"]).unwrap();
        let path = format!("{}?code={code}&state={}", back.path(), asked["state"]);
        self.desk().codes.insert(code, asked);
        path
    }

    /// The request that a code was given for, if the exchange fits it. Codes are good once.
    fn spend(&self, form: &HashMap<String, String>) -> Option<HashMap<String, String>> {
        let asked = self.desk().codes.remove(form.get("code")?)?;
        let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(form.get("code_verifier")?));
        (proof == asked["code_challenge"] && form.get("redirect_uri") == asked.get("redirect_uri")).then_some(asked)
    }
}

pub fn query(url: &str) -> HashMap<String, String> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

async fn discovery(State(issuer): State<Issuer>) -> Json<Value> {
    let url = issuer.url();
    Json(json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/jwks"), "userinfo_endpoint": format!("{url}/userinfo"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
    }))
}

async fn jwks(State(issuer): State<Issuer>) -> Json<Value> {
    let desk = issuer.desk();
    let point = desk.key.public_key_raw();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
    Json(json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "alg": "ES256", "x": x, "y": y }] }))
}

async fn token(State(issuer): State<Issuer>, headers: HeaderMap, Form(form): Form<HashMap<String, String>>) -> Reply {
    let expected = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:a+client+secret")));
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error })));
    if headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()) != Some(&expected) {
        return refused("invalid_client");
    }
    let Some(asked) = issuer.spend(&form) else { return refused("invalid_grant") };
    let desk = issuer.desk();
    let now = desk.clock.now().timestamp();
    let mut claims = desk.claims.clone();
    if desk.only_userinfo {
        claims = json!({ "sub": claims["sub"] });
    }
    let access = "an access token";
    let half = |text: &str| URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..16]);
    claims["iss"] = json!(desk.url);
    claims["aud"] = json!(CLIENT);
    claims["iat"] = json!(now);
    claims["exp"] = json!(now + 300);
    claims["nonce"] = json!(asked["nonce"]);
    claims["at_hash"] = json!(half(access));
    let mut key = EncodingKey::from_ec_der(&desk.key.serialize_der());
    let mut head = Header::new(Algorithm::ES256);
    head.kid = Some("1".into());
    match desk.cheat {
        Cheat::OtherNonce => claims["nonce"] = json!("another"),
        Cheat::NoNonce => drop(claims.as_object_mut().unwrap().remove("nonce")),
        Cheat::OtherAudience => claims["aud"] = json!("another"),
        Cheat::OtherIssuer => claims["iss"] = json!("https://evil.test"),
        Cheat::Expired => claims["exp"] = json!(now - 1),
        Cheat::OtherKey => key = EncodingKey::from_ec_der(&KeyPair::generate().unwrap().serialize_der()),
        Cheat::SharedSecret => {
            key = EncodingKey::from_secret(SECRET.as_bytes());
            head = Header::new(Algorithm::HS256);
        }
        Cheat::OtherAccessToken => claims["at_hash"] = json!(half("another")),
        Cheat::No | Cheat::Unsigned | Cheat::NoIdToken => {}
    }
    let mut signed = jsonwebtoken::encode(&head, &claims, &key).unwrap();
    if desk.cheat == Cheat::Unsigned {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        signed = format!("{}.{}.", part(&json!({ "alg": "none" })), part(&claims));
    }
    let mut body = json!({ "access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": signed });
    if desk.cheat == Cheat::NoIdToken {
        body.as_object_mut().unwrap().remove("id_token");
    }
    (StatusCode::OK, Json(body))
}

async fn userinfo(State(issuer): State<Issuer>, headers: HeaderMap) -> Reply {
    if headers[header::AUTHORIZATION] != "Bearer an access token" {
        return (StatusCode::UNAUTHORIZED, Json(json!({})));
    }
    (StatusCode::OK, Json(issuer.desk().claims.clone()))
}

async fn github_token(State(issuer): State<Issuer>, Form(form): Form<HashMap<String, String>>) -> Json<Value> {
    let known = form["client_id"] == CLIENT && form["client_secret"] == SECRET;
    match issuer.spend(&form).filter(|_| known) {
        Some(_) => Json(json!({ "access_token": "gho_token", "token_type": "bearer" })),
        None => Json(json!({ "error": "bad_verification_code" })),
    }
}

async fn github_user(headers: HeaderMap) -> Reply {
    if headers[header::AUTHORIZATION] != "Bearer gho_token" || !headers.contains_key(header::USER_AGENT) {
        return (StatusCode::UNAUTHORIZED, Json(json!({})));
    }
    (StatusCode::OK, Json(json!({ "id": 4711, "login": "grace", "name": null, "email": "public@example.com" })))
}

async fn github_emails(State(issuer): State<Issuer>) -> Json<Value> {
    Json(issuer.desk().emails.clone())
}
