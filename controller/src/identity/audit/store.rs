//! Every query on `audit_log` but those of its chains.

use super::model::{AuditEntry, AuditFilter, Whose};
use crate::error::Result;
use crate::platform::http::{Actor, Caller};
use crate::signals::events::Subject;
use ocore_shared::ids::{AuditId, OrganizationId};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use sqlx::types::ipnetwork::IpNetwork;
use uuid::Uuid;

/// Add an entry in the transaction of the change. `action` is `noun.past`; `before` and `after` hold no secrets.
pub async fn audit_append(
    connection: &mut PgConnection, organization: Option<OrganizationId>, caller: &Caller, action: &str,
    subject: &Subject, before: Option<Value>, after: Option<Value>,
) -> Result<()> {
    sqlx::query!(
        "insert into audit_log (id, organization_id, action, actor, subject, before, after, address, request_id, user_agent)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        AuditId::new().0,
        organization.map(|o| o.0),
        action,
        Json(&caller.actor) as _,
        Json(subject) as _,
        before,
        after,
        caller.address.map(IpNetwork::from) as _,
        caller.request_id,
        caller.user_agent
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Entries, newest first. The connection is the organization's own, or the system's for all of them.
pub async fn audit_list(
    connection: &mut PgConnection, whose: Whose, filter: &AuditFilter, before: Option<Uuid>, limit: i64,
) -> Result<Vec<AuditEntry>> {
    let rows = sqlx::query!(
        r#"select id as "id: AuditId", organization_id as "organization_id: OrganizationId", seq, action,
                  actor as "actor: Json<Actor>", subject as "subject: Json<Subject>", before, after,
                  host(address) as address, user_agent, request_id, created_at
           from audit_log
           where ($1::uuid is null or organization_id = $1) and ($2::uuid is null or id < $2)
             and ($3::uuid is null or actor ->> 'id' = $3::uuid::text)
             and ($4::text is null or action = $4)
             and ($5::text is null or subject ->> 'type' = $5)
             and ($6::uuid is null or subject ->> 'id' = $6::uuid::text)
             and ($7::timestamptz is null or created_at >= $7) and ($8::timestamptz is null or created_at < $8)
             and ($9::inet is null or address <<= $9)
             and ($10::text is null or strpos(lower(action || ' ' || (actor ->> 'name') || ' ' || (subject ->> 'name')), lower($10)) > 0)
           order by id desc limit $11"#,
        whose.organization().map(|organization| organization.0),
        before,
        filter.actor_id,
        filter.action,
        filter.resource_type,
        filter.resource_id,
        filter.from,
        filter.to,
        filter.address as Option<IpNetwork>,
        filter.q,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| AuditEntry {
            id: row.id,
            organization_id: row.organization_id,
            seq: row.seq,
            action: row.action,
            actor: row.actor.0,
            subject: row.subject.0,
            before: row.before,
            after: row.after,
            address: row.address,
            user_agent: row.user_agent,
            request_id: row.request_id,
            created_at: row.created_at,
        })
        .collect())
}
