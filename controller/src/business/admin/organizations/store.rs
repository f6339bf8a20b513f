//! Every query on organizations for the administrator, through the system's pool: it looks at all of them.

use super::model::{AdminOrganization, OrganizationFilter, OrganizationUsage};
use crate::error::Result;
use crate::platform::http::Page;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::{OrganizationId, UserId};
use sqlx::PgPool;

/// Organizations, newest first.
pub async fn organization_list(
    system: &PgPool, filter: &OrganizationFilter<'_>, page: &Page,
) -> Result<Vec<AdminOrganization>> {
    let list = sqlx::query_as!(
        AdminOrganization,
        r#"select o.id as "id: OrganizationId", o.name, o.slug, w.id as "owner_id?: UserId", w.name as "owner_name?",
                  w.email as "owner_email?",
                  (select count(*) from memberships m where m.organization_id = o.id) as "member_count!",
                  (select count(*) from servers s where s.organization_id = o.id) as "server_count!",
                  (select count(*) from instances i where i.organization_id = o.id) as "instance_count!",
                  o.version, o.created_at, o.updated_at
           from organizations o left join lateral (
               select u.id, u.name, u.email from grants g
               join roles r on r.id = g.role_id and r.is_system and r.name = 'owner'
               join users u on u.id = g.principal_id
               where g.organization_id = o.id and g.principal_type = 'user' and g.scope_type = 'organization'
               limit 1) w on true
           where ($1::uuid is null or o.id = $1) and ($2::text is null or o.name = $2)
             and ($3::text is null or strpos(lower(o.name || ' ' || o.slug), lower($3)) > 0)
             and ($4::uuid is null or o.id < $4)
           order by o.id desc limit $5"#,
        filter.id.map(|id| id.0),
        filter.name,
        filter.q,
        page.before()?,
        page.fetch()
    )
    .fetch_all(system)
    .await?;
    Ok(list)
}

pub async fn organization_usage(
    system: &PgPool, organization: OrganizationId, now: DateTime<Utc>,
) -> Result<Option<OrganizationUsage>> {
    let usage = sqlx::query_as!(
        OrganizationUsage,
        r#"select (select count(*) from memberships where organization_id = o.id) as "members!",
               (select count(*) from invitations where organization_id = o.id and accepted_at is null
                  and cancelled_at is null and expires_at > $2) as "invitations!",
               (select count(*) from service_accounts where organization_id = o.id) as "service_accounts!",
               (select count(*) from api_keys where organization_id = o.id and revoked_at is null
                  and (expires_at is null or expires_at > $2)) as "api_keys!",
               (select count(*) from projects where organization_id = o.id) as "projects!",
               (select count(*) from environments where organization_id = o.id) as "environments!",
               (select count(*) from servers where organization_id = o.id) as "servers!",
               (select count(*) from servers where organization_id = o.id and status in ('online', 'degraded')) as "servers_online!",
               (select count(*) from instances where organization_id = o.id) as "instances!",
               (select count(*) from instances where organization_id = o.id and status = 'running') as "instances_running!",
               (select count(*) from jobs where organization_id = o.id and created_at > $3) as "jobs_24h!",
               (select count(*) from jobs where organization_id = o.id and status = 'failed' and finished_at > $3) as "jobs_failed_24h!",
               (select count(*) from audit_log where organization_id = o.id) as "audit_entries!",
               o.audit_retention_days, o.require_second_factor
           from organizations o where o.id = $1"#,
        organization.0,
        now,
        now - TimeDelta::hours(24)
    )
    .fetch_optional(system)
    .await?;
    Ok(usage)
}
