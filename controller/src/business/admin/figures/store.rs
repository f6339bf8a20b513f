//! Every query of the dashboard, through the system's pool: it looks at everything.

use super::model::{Counts, ReplicaFigures};
use crate::error::Result;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use std::collections::BTreeMap;

pub async fn counts(system: &PgPool, now: DateTime<Utc>) -> Result<Counts> {
    let counts = sqlx::query_as!(
        Counts,
        r#"select (select count(*) from users) as "users!",
               (select count(*) from users where is_admin) as "admins!",
               (select count(*) from users where suspended_at is not null) as "suspended!",
               (select count(*) from users where last_login_at > $2) as "signed_in_24h!",
               (select count(*) from users u where exists (select from totp_secrets t where t.user_id = u.id and t.confirmed_at is not null)
                  or exists (select from passkeys p where p.user_id = u.id)) as "with_second_factor!",
               (select count(*) from sessions where revoked_at is null and expires_at > $1) as "open_sessions!",
               (select count(*) from organizations) as "organizations!",
               (select count(*) from jobs where status = 'queued') as "jobs_queued!",
               (select count(*) from jobs where status in ('dispatched', 'running')) as "jobs_running!",
               (select count(*) from jobs where status = 'succeeded' and finished_at > $2) as "jobs_succeeded_24h!",
               (select count(*) from jobs where status = 'failed' and finished_at > $2) as "jobs_failed_24h!",
               (select count(*) from mails where status = 'queued') as "mails_queued!",
               (select count(*) from mails where status = 'kept') as "mails_kept!",
               (select count(*) from mails where status = 'failed' and updated_at > $2) as "mails_failed_24h!",
               (select count(*) from audit_log where created_at > $2) as "audit_entries_24h!",
               (select count(*) from audit_log where seq is null) as "audit_unsealed!",
               pg_database_size(current_database()) as "database_bytes!""#,
        now,
        now - TimeDelta::hours(24)
    )
    .fetch_one(system)
    .await?;
    Ok(counts)
}

pub async fn servers_by_status(system: &PgPool) -> Result<BTreeMap<String, i64>> {
    let rows =
        sqlx::query!(r#"select status, count(*) as "count!" from servers group by status"#).fetch_all(system).await?;
    Ok(rows.into_iter().map(|row| (row.status, row.count)).collect())
}

pub async fn instances_by_status(system: &PgPool) -> Result<BTreeMap<String, i64>> {
    let rows =
        sqlx::query!(r#"select status, count(*) as "count!" from instances group by status"#).fetch_all(system).await?;
    Ok(rows.into_iter().map(|row| (row.status, row.count)).collect())
}

pub async fn replicas(system: &PgPool) -> Result<Vec<ReplicaFigures>> {
    let replicas = sqlx::query_as!(
        ReplicaFigures,
        r#"select id, version, started_at,
               (select count(*) from agent_sessions s where s.replica_id = r.id) as "agents!"
           from replicas r where seen_at > now() - interval '30 seconds' order by started_at"#
    )
    .fetch_all(system)
    .await?;
    Ok(replicas)
}
