//! Registries against one that asks for a password, and what jobs bring their agents.

use crate::apps::instances::tests::Shop;
use crate::identity::authentication::tests::{Answer, Visitor, run};
use crate::testing::TestApp;
use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// `Basic` of `deployer` with `a quiet pull 5`.
const BASIC: &str = "Basic ZGVwbG95ZXI6YSBxdWlldCBwdWxsIDU=";

/// What a registry with htpasswd says, or one with a token service beside it.
async fn registry(tokens: bool) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let own = address.clone();
    let answer = move |request: Request| {
        let own = own.clone();
        async move {
            let given = request.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).unwrap_or_default();
            let path = request.uri().path().to_owned();
            let may = if tokens { given == "Bearer ticket" } else { given == BASIC };
            let body: Response = match path.as_str() {
                "/token" if given == BASIC => json!({"token": "ticket"}).to_string().into_response(),
                "/v2/_catalog" if may => json!({"repositories": ["acme/odoo"]}).to_string().into_response(),
                "/v2/" if may => "{}".into_response(),
                _ => {
                    let challenge = match tokens {
                        true => format!("Bearer realm=\"http://{own}/token\",service=\"acme\""),
                        false => "Basic realm=\"registry\"".into(),
                    };
                    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
                }
            };
            body
        }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    address
}

async fn ada() -> (TestApp, Visitor) {
    let test = TestApp::start_with(|config| config.outbound_allow = vec!["127.0.0.2/32".parse().unwrap()]).await;
    let ada = Visitor::new(&test.app).bootstrap().await.0;
    (test, ada)
}

async fn patch(ada: &Visitor, id: &str, body: Value) -> Answer {
    ada.send(Method::PATCH, &format!("/api/registries/{id}"), Some(body)).await
}

#[tokio::test]
async fn a_registry_is_tried_before_it_is_kept() {
    let (test, ada) = ada().await;
    for tokens in [false, true] {
        let address = registry(tokens).await;
        let with = |password: &str| json!({"address": address, "username": "deployer", "password": password});
        ada.post("/api/registries", with("wrong")).await.refused(StatusCode::UNPROCESSABLE_ENTITY, "registry_refused");
        ada.post("/api/registries", json!({"address": address}))
            .await
            .refused(StatusCode::UNPROCESSABLE_ENTITY, "registry_refused");
        let made = ada.post("/api/registries", with("a quiet pull 5")).await.is(StatusCode::CREATED);
        assert_eq!((&made.body["status"], &made.body["has_password"]), (&json!("ok"), &json!(true)));
        assert!(!made.body.to_string().contains("quiet pull"));
        ada.post("/api/registries", with("a quiet pull 5")).await.refused(StatusCode::CONFLICT, "registry_exists");

        let id = made.text("id");
        let tested = ada.post(&format!("/api/registries/{id}/test"), json!({})).await.is(StatusCode::OK);
        assert_eq!(tested.body["repositories"], json!(["acme/odoo"]));
        // The stored password stays where it is meant for.
        let elsewhere = patch(&ada, &id, json!({"address": "127.0.0.2:9"})).await;
        assert_eq!(elsewhere.body["error"]["details"]["field"], "password", "{}", elsewhere.body);
        patch(&ada, &id, json!({"password": "wrong"}))
            .await
            .refused(StatusCode::UNPROCESSABLE_ENTITY, "registry_refused");
        let now = patch(&ada, &id, json!({"description": "ours"})).await.is(StatusCode::OK);
        assert_eq!((&now.body["status"], &now.body["has_password"]), (&json!("ok"), &json!(true)));
        ada.delete(&format!("/api/registries/{id}")).await.is(StatusCode::NO_CONTENT);
    }
    let left: i64 = sqlx::query_scalar("select count(*) from secrets where purpose = 'registry'")
        .fetch_one(test.app.db.system())
        .await
        .unwrap();
    assert_eq!(left, 0);
    // Servers may reach what the controller cannot.
    let far = ada.post("/api/registries", json!({"address": "10.1.2.3:5000"})).await.is(StatusCode::CREATED);
    assert_eq!(far.body["status"], "unreachable", "{}", far.body);
    for wrong in ["registry", "https://r.example.com", "r.example.com/path", "r.example.com:99999", "-r.example.com"] {
        let answer = ada.post("/api/registries", json!({"address": wrong})).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["error"]["details"]["field"], "address");
    }
}

#[tokio::test]
async fn a_job_brings_the_passwords_of_its_images_registries_alone() {
    let shop = Shop::new().await;
    shop.cancelled(shop.provision).await;
    let add = async |body: Value| shop.ada.post("/api/registries", body).await.is(StatusCode::CREATED).text("id");
    // Refused by the guard at once: nobody is asked.
    let other = add(json!({"address": "10.1.2.3:5000", "username": "a", "password": "quiet 1"})).await;
    let mirror =
        add(json!({"address": "10.1.2.4:5000", "username": "b", "password": "quiet 2", "mirror_of": "docker.io"}))
            .await;
    run(&shop.test.app, "update instances set spec = jsonb_set(spec, '{image}', '\"acme/odoo:17.0\"')").await;
    shop.control("start").await;
    let job =
        "select input -> 'registries', array(select jsonb_object_keys(secret_ids)) from jobs order by id desc limit 1";
    let (registries, names): (Value, Vec<String>) =
        sqlx::query_as(job).fetch_one(shop.test.app.db.system()).await.unwrap();
    let secret = format!("memory.registry.{mirror}");
    assert_eq!(
        registries,
        json!([{"address": "10.1.2.4:5000", "username": "b", "secret": secret, "mirror_of": "docker.io"}])
    );
    assert!(names.contains(&secret) && !names.iter().any(|name| name.contains(&other)), "{names:?}");
}
