//! The administrator sees every organization, and nobody else does.

use crate::identity::authentication::tests::{sign_in, stranger};
use crate::identity::members::tests::Company;
use axum::http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn every_organization_is_seen_with_its_owner_and_use() {
    let company = Company::new().await;
    let ada = &company.ada;
    let (_, dev) = company.hire("dev", "developer").await;
    stranger(company.app(), "eve@example.com").await;
    let eve = sign_in(company.app(), "eve@example.com").await;
    let theirs = eve.post("/api/orgs", json!({ "name": "Elsewhere" })).await.is(StatusCode::CREATED).text("id");
    ada.post("/api/servers", json!({ "name": "first" })).await.is(StatusCode::CREATED);

    let list = ada.get("/api/admin/orgs").await.is(StatusCode::OK);
    let names: Vec<&str> = list.body["data"].as_array().unwrap().iter().map(|o| o["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Elsewhere", "Example"]);
    let own = &list.body["data"][1];
    assert_eq!(
        (&own["owner_email"], &own["member_count"], &own["server_count"]),
        (&json!("ada@example.com"), &json!(2), &json!(1))
    );
    for (filter, count) in [("?q=ELSE", 1), ("?name=Example", 1), ("?name=Exam", 0), ("?limit=1", 1)] {
        let list = ada.get(&format!("/api/admin/orgs{filter}")).await.is(StatusCode::OK);
        assert_eq!(list.body["data"].as_array().unwrap().len(), count, "{filter}");
    }
    // The administrator is no member there, and sees its use all the same.
    let one = ada.get(&format!("/api/admin/orgs/{theirs}")).await.is(StatusCode::OK);
    assert_eq!((&one.body["name"], &one.body["owner_name"]), (&json!("Elsewhere"), &json!("Stranger")));
    let usage = &one.body["usage"];
    assert_eq!((&usage["members"], &usage["projects"], &usage["servers"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!((&usage["audit_entries"], &usage["audit_retention_days"]), (&json!(1), &json!(365)));
    ada.get(&format!("/api/admin/orgs/{}", uuid::Uuid::now_v7())).await.is(StatusCode::NOT_FOUND);
    for other in [&dev, &eve] {
        other.get("/api/admin/orgs").await.refused(StatusCode::FORBIDDEN, "admin_required");
    }
}
