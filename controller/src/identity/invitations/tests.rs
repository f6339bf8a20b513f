//! An invitation is one address's, works once, and gives no more than whoever sent it holds.

use crate::identity::authentication::tests::{Answer, Visitor, sign_in, stranger};
use crate::identity::members::tests::Company;
use crate::platform::mail::tests::{Sink, with_sink, work_off};
use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::json;

fn token_of(link: &str) -> String {
    link.split("#token=").nth(1).unwrap_or_else(|| panic!("no token in {link}")).to_owned()
}

#[tokio::test]
async fn of_fifty_who_show_an_invitation_one_joins() {
    let company = Company::new().await;
    let role = company.role("developer").await;
    let body = json!({ "email": "Vic@Example.com", "role_id": role });
    let sent = company.ada.post("/api/members/invite", body.clone()).await.is(StatusCode::CREATED);
    company.ada.post("/api/members/invite", body).await.refused(StatusCode::CONFLICT, "already_invited");
    let token = token_of(&sent.text("link"));
    let nobody = Visitor::new(company.app());
    let view = nobody.get(&format!("/api/invites/{token}/preview")).await.is(StatusCode::OK);
    assert_eq!((view.text("organization"), view.text("role")), ("Example".into(), "developer".into()));
    assert_eq!(view.body["has_account"], false);

    let path = format!("/api/invites/{token}/accept");
    nobody.post(&path, json!({})).await.is(StatusCode::UNAUTHORIZED);
    stranger(company.app(), "eve@example.com").await;
    let eve = sign_in(company.app(), "eve@example.com").await;
    eve.post(&path, json!({})).await.refused(StatusCode::FORBIDDEN, "other_address");
    stranger(company.app(), "vic@example.com").await;
    let vic = sign_in(company.app(), "vic@example.com").await;
    let answers = join_all((0..50).map(|_| vic.post(&path, json!({})))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::OK).count(), 1);
    // A machine that is busy turns some away, before they change anything.
    let expected =
        |a: &Answer| [StatusCode::OK, StatusCode::NOT_FOUND].contains(&a.status) || a.code() == "unavailable";
    assert!(answers.iter().all(expected), "{answers:?}");
    vic.get("/api/instances").await.is(StatusCode::OK);
    vic.get("/api/audit-logs").await;
    let list = company.ada.get("/api/invites?status=accepted").await.is(StatusCode::OK);
    assert_eq!(list.body["data"][0]["status"], "accepted");
    let again = json!({ "email": "vic@example.com", "role_id": company.role("viewer").await });
    company.ada.post("/api/members/invite", again).await.refused(StatusCode::CONFLICT, "already_member");
}

#[tokio::test]
async fn an_invitation_ends_by_time_by_cancelling_and_by_being_sent_again() {
    let company = Company::new().await;
    let role = company.role("viewer").await;
    let body = json!({ "email": "vic@example.com", "role_id": role });
    let sent = company.ada.post("/api/members/invite", body.clone()).await.is(StatusCode::CREATED);
    let first = token_of(&sent.text("link"));
    let path = format!("/api/invites/{}", sent.text("id"));
    let again = company.ada.post(&format!("{path}/resend"), json!({})).await.is(StatusCode::OK);
    let second = token_of(&again.text("link"));
    let nobody = Visitor::new(company.app());
    let seen = |token: String| {
        let nobody = nobody.clone();
        async move { nobody.get(&format!("/api/invites/{token}/preview")).await.status }
    };
    assert_eq!(seen(first).await, StatusCode::NOT_FOUND);
    assert_eq!(seen(second.clone()).await, StatusCode::OK);
    company.clock().shift(chrono::TimeDelta::days(7));
    assert_eq!(seen(second).await, StatusCode::NOT_FOUND);
    let ada = sign_in(company.app(), "ada@example.com").await;
    let list = ada.get("/api/invites?status=expired").await.is(StatusCode::OK);
    assert_eq!(list.body["data"].as_array().unwrap().len(), 1);
    // An expired one stands in nobody's way.
    let third = ada.post("/api/members/invite", body).await.is(StatusCode::CREATED);
    let path = format!("/api/invites/{}", third.text("id"));
    ada.delete(&path).await.is(StatusCode::NO_CONTENT);
    assert_eq!(seen(token_of(&third.text("link"))).await, StatusCode::NOT_FOUND);
    ada.delete(&path).await.refused(StatusCode::CONFLICT, "invitation_ended");
    ada.post(&format!("{path}/resend"), json!({})).await.refused(StatusCode::CONFLICT, "invitation_ended");
}

#[tokio::test]
async fn nobody_invites_to_more_than_they_hold() {
    let company = Company::new().await;
    company.custom("Keeper", &["manage:members", "view:roles"]).await;
    let (_, kim) = company.hire("kim", "Keeper").await;
    for name in ["admin", "owner"] {
        let body = json!({ "email": "vic@example.com", "role_id": company.role(name).await });
        kim.post("/api/members/invite", body).await.is(StatusCode::FORBIDDEN);
    }
    let body = json!({ "email": "vic@example.com", "role_id": company.role("admin").await });
    let sent = company.ada.post("/api/members/invite", body).await.is(StatusCode::CREATED);
    let path = format!("/api/invites/{}/resend", sent.text("id"));
    kim.post(&path, json!({})).await.refused(StatusCode::FORBIDDEN, "broader_than_yourself");
    let owner = json!({ "email": "x@example.com", "role_id": company.role("owner").await });
    company.ada.post("/api/members/invite", owner).await.refused(StatusCode::FORBIDDEN, "owner_fixed");
    let wrong = json!({ "email": "nonsense", "role_id": company.role("viewer").await });
    company.ada.post("/api/members/invite", wrong).await.is(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_invitation_is_mailed_and_its_link_is_not_in_the_answer() {
    let sink = Sink::start().await;
    let test = with_sink(&sink).await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let role = ada.get("/api/roles?name=viewer").await.body["data"][0]["id"].clone();
    let body = json!({ "email": "vic@example.com", "role_id": role });
    let sent = ada.post("/api/members/invite", body).await.is(StatusCode::CREATED);
    assert!(sent.body.get("link").is_none(), "{}", sent.body);
    work_off(&test.app).await;
    let mails = sink.mails();
    assert_eq!(mails.len(), 1);
    let token = token_of(&mails[0]);
    let token = token.split(['\n', '"', '<']).next().unwrap();
    Visitor::new(&test.app).get(&format!("/api/invites/{token}/preview")).await.is(StatusCode::OK);
}
