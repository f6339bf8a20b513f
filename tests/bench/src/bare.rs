//! P5's peer: axum and PostgreSQL with nothing between them. The same rows of the same table, no caller, no organization.

use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

/// As many as the controller has for requests.
const CONNECTIONS: u32 = 16;

#[derive(Serialize, sqlx::FromRow)]
struct Instance {
    id: Uuid,
    name: String,
    slug: String,
    project_id: Uuid,
    environment_id: Uuid,
    server_id: Uuid,
    labels: Value,
    spec: Value,
    status: String,
    status_reason: Option<String>,
    desired_state: String,
    health: String,
    http_port: Option<i32>,
    image_digest: Option<String>,
    container_id: Option<String>,
    last_job_id: Option<Uuid>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Page {
    limit: i64,
}

async fn instance_get(State(pool): State<PgPool>, Path(id): Path<Uuid>) -> Json<Option<Instance>> {
    let found = sqlx::query_as("select * from instances where id = $1").bind(id).fetch_optional(&pool).await;
    Json(found.expect("the database answers"))
}

async fn instance_list(State(pool): State<PgPool>, Query(page): Query<Page>) -> Json<Vec<Instance>> {
    let found = sqlx::query_as("select * from instances order by id desc limit $1").bind(page.limit);
    Json(found.fetch_all(&pool).await.expect("the database answers"))
}

/// Serve on 127.0.0.1 until the process ends.
pub async fn serve(port: u16, database: &str) {
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(database).await.expect("the database answers");
    let routes = Router::new().route("/instances", get(instance_list)).route("/instances/{id}", get(instance_get));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    axum::serve(listener, routes.with_state(pool)).await.expect("the server runs");
}
