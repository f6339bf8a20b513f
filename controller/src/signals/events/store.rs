//! Every query on `events`.

use super::model::{Event, Subject};
use crate::error::{Error, Result};
use crate::platform::http::Actor;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{EventId, OrganizationId};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

/// Add an event in the transaction of the change that it tells of.
pub async fn event_append(
    connection: &mut PgConnection, organization: OrganizationId, kind: &str, actor: &Actor, subject: &Subject,
    data: serde_json::Value,
) -> Result<()> {
    sqlx::query!(
        "insert into events (id, organization_id, type, actor, subject, data) values ($1, $2, $3, $4, $5, $6)",
        EventId::new().0,
        organization.0,
        kind,
        Json(actor) as _,
        Json(subject) as _,
        data,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A place in the stream: transactions before which nothing can still appear, then the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub xid: String,
    pub id: Uuid,
}

/// The place of now: what is committed before it was seen, what comes after it was not.
pub async fn event_position(connection: &mut PgConnection) -> Result<Position> {
    let xid = sqlx::query_scalar!(r#"select pg_snapshot_xmin(pg_current_snapshot())::text as "xid!""#)
        .fetch_one(connection)
        .await?;
    Ok(Position { xid, id: Uuid::nil() })
}

/// An event as it is stored.
pub struct EventRow {
    pub xid: String,
    pub id: Uuid,
    pub organization_id: Uuid,
    pub kind: String,
    pub created_at: DateTime<Utc>,
    pub actor: Json<Actor>,
    pub subject: Json<Subject>,
    pub data: serde_json::Value,
}

impl EventRow {
    /// The event, and where it stands.
    pub fn placed(self) -> (Position, Event) {
        let event = Event {
            id: EventId(self.id),
            kind: self.kind,
            created_at: self.created_at,
            organization_id: OrganizationId(self.organization_id),
            actor: self.actor.0,
            subject: self.subject.0,
            data: self.data,
        };
        (Position { xid: self.xid, id: self.id }, event)
    }
}

/// Events after a place, oldest first, only below every transaction that is still open.
pub async fn event_list_after(
    connection: &mut PgConnection, organization: OrganizationId, after: &Position, limit: i64,
) -> Result<Vec<(Position, Event)>> {
    let rows = sqlx::query_as!(
        EventRow,
        r#"select xid::text as "xid!", id, organization_id, type as kind, created_at,
                  actor as "actor: Json<Actor>", subject as "subject: Json<Subject>", data
           from events
           where organization_id = $1 and (xid, id) > ($2::text::xid8, $3)
             and xid < pg_snapshot_xmin(pg_current_snapshot())
           order by xid, id limit $4"#,
        organization.0,
        after.xid,
        after.id,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(EventRow::placed).collect())
}

/// Whether events of that place may have been pruned already.
pub async fn event_position_is_lost(
    connection: &mut PgConnection, organization: OrganizationId, after: &Position,
) -> Result<bool> {
    let known = sqlx::query_scalar!(
        r#"select ($2 = '00000000-0000-0000-0000-000000000000'::uuid or exists (
               select from events where organization_id = $1 and id = $2
           )) as "known!""#,
        organization.0,
        after.id,
    )
    .fetch_one(connection)
    .await?;
    Ok(!known)
}

/// Newest events about one object.
pub async fn event_list_of_subject(
    connection: &mut PgConnection, organization: OrganizationId, subject: Uuid, before: Option<Uuid>, limit: i64,
) -> Result<Vec<Event>> {
    let rows = sqlx::query!(
        r#"select id, type as kind, created_at, actor as "actor: Json<Actor>", subject as "subject: Json<Subject>", data
           from events
           where organization_id = $1 and subject ->> 'id' = $2::uuid::text and ($3::uuid is null or id < $3)
           order by id desc limit $4"#,
        organization.0,
        subject,
        before,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Event {
            id: EventId(row.id),
            kind: row.kind,
            created_at: row.created_at,
            organization_id: organization,
            actor: row.actor.0,
            subject: row.subject.0,
            data: row.data,
        })
        .collect())
}

/// Forget what is older.
pub async fn event_prune(system: &sqlx::PgPool, days: i32) -> Result<u64> {
    sqlx::query!("delete from events where created_at < now() - make_interval(days => $1)", days)
        .execute(system)
        .await
        .map(|done| done.rows_affected())
        .map_err(Error::from)
}
