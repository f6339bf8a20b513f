//! Every query on `event_readers`, and the events of all organizations.

use crate::error::Result;
use crate::platform::http::Actor;
use crate::signals::events::store::{EventRow, Position};
use crate::signals::events::{Event, Subject};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

/// Take the reader's place for this transaction. None: there is nothing to read, or another replica reads now.
pub async fn reader_take(connection: &mut PgConnection, name: &str) -> Result<Option<Position>> {
    // Looked at first, since every lock costs a transaction number.
    let row = sqlx::query!(
        r#"select r.xid::text as "xid!", r.id from event_readers r
           where r.name = $1 and exists (
               select from events e
               where (e.xid, e.id) > (r.xid, r.id) and e.xid < pg_snapshot_xmin(pg_current_snapshot()))
           for update of r skip locked"#,
        name
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Position { xid: row.xid, id: row.id }))
}

/// The reader has come that far.
pub async fn reader_move(connection: &mut PgConnection, name: &str, to: &Position, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update event_readers set xid = $2::text::xid8, id = $3, updated_at = $4 where name = $1",
        name,
        to.xid,
        to.id,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The next events of all organizations, oldest first, only below every transaction that is still open.
pub async fn event_list_of_all(
    connection: &mut PgConnection, after: &Position, limit: i64,
) -> Result<Vec<(Position, Event)>> {
    let rows = sqlx::query_as!(
        EventRow,
        r#"select xid::text as "xid!", id, organization_id, type as kind, created_at,
                  actor as "actor: Json<Actor>", subject as "subject: Json<Subject>", data
           from events
           where (xid, id) > ($1::text::xid8, $2::uuid) and xid < pg_snapshot_xmin(pg_current_snapshot())
           order by xid, id limit $3"#,
        after.xid,
        after.id,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(EventRow::placed).collect())
}
