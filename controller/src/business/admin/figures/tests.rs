//! The dashboard counts what there is.

use crate::fleet::connection::service::housekeep;
use crate::identity::audit::tests::seal;
use crate::identity::authentication::tests::run;
use crate::identity::members::tests::Company;
use axum::http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn figures_follow_the_rows() {
    let company = Company::new().await;
    let ada = &company.ada;
    let (_, vic) = company.hire("vic", "viewer").await;
    vic.get("/api/admin/metrics").await.refused(StatusCode::FORBIDDEN, "admin_required");
    ada.post("/api/servers", json!({ "name": "first" })).await.is(StatusCode::CREATED);
    run(company.app(), "update users set suspended_at = now() where email = 'vic@example.com'").await;
    housekeep(company.app()).await.unwrap();
    let now = ada.get("/api/admin/metrics").await.is(StatusCode::OK).body;
    let users = &now["users"];
    assert_eq!((&users["total"], &users["admins"], &users["suspended"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!((&now["organizations"], &now["servers"]), (&json!(1), &json!({ "pending": 1 })));
    assert_eq!(now["replicas"].as_array().unwrap().len(), 1);
    assert!(now["audit"]["unsealed"].as_i64().unwrap() > 0 && now["database_bytes"].as_i64().unwrap() > 0);
    seal(company.app()).await;
    assert_eq!(ada.get("/api/admin/metrics").await.body["audit"]["unsealed"], 0);
}
