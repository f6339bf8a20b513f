//! Tunnels, as rows and this process know them.

use crate::identity::authentication::tests::{Visitor, run};
use crate::testing::{TestApp, agent, until};
use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::routing::get;
use ocore_shared::ids::{OrganizationId, ServerId};
use serde_json::json;

#[tokio::test]
async fn tunnels_tell_where_they_are_and_what_is_open_in_them() {
    let test = TestApp::start().await;
    let app = &test.app;
    let (ada, answer) = Visitor::new(app).bootstrap().await;
    let organization: OrganizationId = answer.organization().parse().unwrap();
    let mut servers = Vec::new();
    for name in ["near", "far", "away"] {
        let made = ada.post("/api/servers", json!({ "name": name })).await.is(StatusCode::CREATED);
        servers.push(made.body["server"]["id"].as_str().unwrap().parse::<ServerId>().unwrap());
    }
    run(app, "update servers set last_seen_at = now(), agent_version = '0.1.0'").await;
    crate::fleet::connection::service::housekeep(app).await.unwrap();
    for (server, replica, epoch) in [(servers[0], app.replica.0, 7), (servers[1], uuid::Uuid::now_v7(), 8)] {
        run(
            app,
            &format!(
                "insert into agent_sessions (server_id, organization_id, replica_id, session_epoch, address)
                 values ('{server}', '{organization}', '{replica}', {epoch}, '192.0.2.8')"
            ),
        )
        .await;
    }
    let endless = || async { Body::from_stream(futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>()) };
    let tunnel = agent(app, organization, servers[0], 7, Router::new().route("/events", get(endless))).await;
    let open = tunnel.client.get_stream("/events").await.unwrap();

    let list = ada.get("/api/admin/tunnels").await.is(StatusCode::OK);
    let data = list.body["data"].as_array().unwrap();
    assert_eq!(data.len(), 2);
    let near = data.iter().find(|agent| agent["server_name"] == "near").unwrap();
    assert_eq!((&near["epoch"], &near["address"], &near["streams"]), (&json!(7), &json!("192.0.2.8"), &json!(1)));
    assert_eq!((&near["replica_id"], &near["agent_version"]), (&json!(app.replica), &json!("0.1.0")));
    let far = data.iter().find(|agent| agent["server_name"] == "far").unwrap();
    assert_eq!(far["streams"], json!(null), "another process knows");
    assert_eq!(ada.get("/api/tunnel/agents?name=far").await.is(StatusCode::OK).body["data"][0], *far);
    let here = ada.get(&format!("/api/tunnel/agents?replica_id={}", app.replica)).await.is(StatusCode::OK);
    assert_eq!(here.body["data"].as_array().unwrap().len(), 1);

    let stats = ada.get("/api/tunnel/stats").await.is(StatusCode::OK).body;
    assert_eq!((&stats["connected"], &stats["disconnected"], &stats["streams"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!((&stats["replicas"][0]["agents"], stats["replicas"].as_array().unwrap().len()), (&json!(1), 1));
    drop(open);
    until("the stream's end", async || tunnel.client.open_streams() == 0).await;
}
