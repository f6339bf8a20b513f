//! Every query on `join_tokens`, and what enrolment writes elsewhere.

use super::service::RefusalLimit;
use crate::error::Result;
use crate::fleet::servers::model::StageReached;
use crate::platform::pki::Issued;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{OrganizationId, ServerId};
use ocore_shared::protocol::enrollment::InstallStage;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Add a token; older ones of the server end.
pub async fn token_insert(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, hash: &[u8],
    expires_at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update join_tokens set expires_at = now() where organization_id = $1 and server_id = $2 and used_at is null
             and expires_at > now()",
        organization.0,
        server.0
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into join_tokens (id, organization_id, server_id, token_hash, expires_at) values ($1, $2, $3, $4, $5)",
        Uuid::now_v7(),
        organization.0,
        server.0,
        hash,
        expires_at
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update servers set install_stages = '[]', install_problem = null where organization_id = $1 and id = $2",
        organization.0,
        server.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Until when the bucket of an address is locked, if it is.
pub async fn refusals_locked_until(system: &PgPool, bucket: &str, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let until = sqlx::query_scalar!(
        r#"select locked_until as "until!" from attempt_buckets where key = $1 and locked_until > $2"#,
        bucket,
        now
    )
    .fetch_optional(system)
    .await?;
    Ok(until)
}

/// A token was refused; the last one that is allowed within the window locks the bucket.
pub async fn refusal_note(system: &PgPool, bucket: &str, limit: &RefusalLimit, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "insert into attempt_buckets as b (key, failures, window_started_at) values ($1, 1, $2)
         on conflict (key) do update set
             failures = case when b.window_started_at <= $3 then 1 else b.failures + 1 end,
             window_started_at = case when b.window_started_at <= $3 then $2 else b.window_started_at end,
             locked_until = case when b.window_started_at > $3 and b.failures + 1 >= $4 then $5::timestamptz end",
        bucket,
        now,
        now - limit.window,
        limit.refusals,
        now + limit.lock
    )
    .execute(system)
    .await?;
    Ok(())
}

/// A join token and the server that it is for.
pub struct Token {
    pub organization: OrganizationId,
    pub server: ServerId,
    pub server_name: String,
    pub used: bool,
    pub expired: bool,
}

/// Look a token up without using it.
pub async fn token_find(connection: &mut PgConnection, hash: &[u8]) -> Result<Option<Token>> {
    let row = sqlx::query!(
        r#"select t.organization_id, t.server_id, s.name, t.used_at is not null as "used!",
               t.expires_at <= now() as "expired!"
           from join_tokens t join servers s on s.id = t.server_id where t.token_hash = $1"#,
        hash
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|r| Token {
        organization: OrganizationId(r.organization_id),
        server: ServerId(r.server_id),
        server_name: r.name,
        used: r.used,
        expired: r.expired,
    }))
}

/// Use a token. Of any number of callers exactly one gets true.
pub async fn token_use(connection: &mut PgConnection, hash: &[u8]) -> Result<bool> {
    let done = sqlx::query!(
        "update join_tokens set used_at = now() where token_hash = $1 and used_at is null and expires_at > now()",
        hash
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Who changes a server's identities does it alone: a renewal that is under way must not outlive a new enrolment.
pub async fn identities_lock(connection: &mut PgConnection, server: ServerId) -> Result<()> {
    sqlx::query!("select id from servers where id = $1 for no key update", server.0).fetch_optional(connection).await?;
    Ok(())
}

/// Store a new identity; the server's older ones end.
pub async fn identity_replace(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, issued: &Issued,
) -> Result<()> {
    identities_lock(connection, server).await?;
    sqlx::query!(
        "update server_identities set revoked_at = now() where server_id = $1 and revoked_at is null",
        server.0
    )
    .execute(&mut *connection)
    .await?;
    identity_insert(connection, organization, server, issued).await?;
    sqlx::query!(
        "update servers set status = 'provisioning', status_reason = 'Enrolled; waiting for the tunnel.',
             journal_id = null, journal_seq = 0, updated_at = now() where id = $1 and organization_id = $2",
        server.0,
        organization.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Store a renewed identity beside the older one, which ends by itself.
pub async fn identity_insert(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, issued: &Issued,
) -> Result<()> {
    sqlx::query!(
        "insert into server_identities (serial, organization_id, server_id, not_after, join_state_confirmed, join_state_offered)
         select $1, $2, $3, $4,
             coalesce((select join_state_confirmed from server_identities where server_id = $3 and revoked_at is null
                       order by created_at desc limit 1), ''),
             coalesce((select join_state_offered from server_identities where server_id = $3 and revoked_at is null
                       order by created_at desc limit 1), '')",
        issued.serial,
        organization.0,
        server.0,
        issued.not_after
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Note that an installation reached a stage. False: it was there already.
pub async fn stage_reached(
    connection: &mut PgConnection, server: ServerId, stage: InstallStage, at: DateTime<Utc>,
) -> Result<bool> {
    let word = serde_json::to_value(stage).unwrap_or_default();
    let done = sqlx::query!(
        "update servers set install_stages = install_stages || $2, install_problem = null, updated_at = now()
         where id = $1 and not install_stages @> jsonb_build_array(jsonb_build_object('stage', $3::jsonb))",
        server.0,
        Json(vec![StageReached { stage, at }]) as _,
        word
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Note what went wrong in an installation. A server that is connected is installed: what goes wrong elsewhere with its
/// old command is not its problem.
pub async fn install_problem(connection: &mut PgConnection, server: ServerId, problem: &str) -> Result<()> {
    sqlx::query!(
        "update servers set install_problem = $2, updated_at = now()
         where id = $1 and status not in ('online', 'degraded', 'maintenance')",
        server.0,
        problem
    )
    .execute(connection)
    .await?;
    Ok(())
}
