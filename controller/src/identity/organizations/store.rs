//! Every query on `organizations`, `organization_slugs` and `memberships` but those that identify a caller.
//!
//! Who has which organizations is asked through the system's pool: no organization is set yet.

use super::model::{FORMER_SLUG_LIFE, Organization, OrganizationChange, OrganizationSettings, Remains};
use crate::error::Result;
use crate::platform::http::permissions::SystemRole;
use crate::platform::http::{Page, Principal};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{GrantId, OrganizationId, SessionId, UserId};
use sqlx::{PgConnection, PgPool};

/// The organizations of a person; the one organization of a key.
pub async fn organization_list(
    system: &PgPool, principal: Principal, name: Option<&str>, page: &Page,
) -> Result<Vec<Organization>> {
    let (user, key) = match principal {
        Principal::Person { user, .. } => (Some(user.0), None),
        Principal::Key { key, .. } => (None, Some(key.0)),
    };
    let list = sqlx::query_as!(
        Organization,
        r#"select o.id as "id: OrganizationId", o.name, o.slug, o.logo_url, o.version, o.created_at, o.updated_at
           from organizations o
           where (o.id in (select organization_id from memberships where user_id = $1)
                  or o.id in (select organization_id from api_keys where id = $2))
             and ($3::text is null or o.name = $3) and ($4::uuid is null or o.id < $4)
           order by o.id desc limit $5"#,
        user,
        key,
        name,
        page.before()?,
        page.fetch()
    )
    .fetch_all(system)
    .await?;
    Ok(list)
}

/// By slug or id, or any when none is named; two are enough to know that there is a choice.
pub async fn organization_find(system: &PgPool, named: Option<&str>) -> Result<Vec<OrganizationId>> {
    let list = sqlx::query_scalar!(
        r#"select id as "id: OrganizationId" from organizations
           where $1::text is null or slug = $1 or id::text = $1 limit 2"#,
        named
    )
    .fetch_all(system)
    .await?;
    Ok(list)
}

pub async fn organization_get(
    connection: &mut PgConnection, organization: OrganizationId,
) -> Result<Option<Organization>> {
    let found = sqlx::query_as!(
        Organization,
        r#"select id as "id: OrganizationId", name, slug, logo_url, version, created_at, updated_at
           from organizations where id = $1"#,
        organization.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(found)
}

/// Insert with that slug, or None when another organization has it, or had it and is still found by it.
pub async fn organization_insert(
    connection: &mut PgConnection, name: &str, slug: &str, now: DateTime<Utc>,
) -> Result<Option<Organization>> {
    let taken = sqlx::query_scalar!(
        r#"select exists (select from organization_slugs where slug = $1 and (until is null or until > $2)) as "taken!""#,
        slug,
        now
    )
    .fetch_one(&mut *connection)
    .await?;
    if taken {
        return Ok(None);
    }
    let organization = sqlx::query_as!(
        Organization,
        r#"insert into organizations (id, name, slug) values ($1, $2, $3) on conflict (slug) do nothing
           returning id as "id: OrganizationId", name, slug, logo_url, version, created_at, updated_at"#,
        OrganizationId::new().0,
        name,
        slug
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(organization) = organization else { return Ok(None) };
    sqlx::query!(
        "insert into organization_slugs (slug, organization_id) values ($1, $2)
         on conflict (slug) do update set organization_id = $2, until = null",
        slug,
        organization.id.0
    )
    .execute(connection)
    .await?;
    Ok(Some(organization))
}

pub async fn membership_insert(
    connection: &mut PgConnection, organization: OrganizationId, user: UserId,
) -> Result<()> {
    sqlx::query!("insert into memberships (organization_id, user_id) values ($1, $2)", organization.0, user.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// The organization, locked until the transaction ends.
pub async fn organization_lock(
    connection: &mut PgConnection, organization: OrganizationId,
) -> Result<Option<Organization>> {
    let found = sqlx::query_as!(
        Organization,
        r#"select id as "id: OrganizationId", name, slug, logo_url, version, created_at, updated_at
           from organizations where id = $1 for update"#,
        organization.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(found)
}

/// Take a slug that is free, or that this organization had before; its present one answers for a while. False: taken.
pub async fn slug_take(
    connection: &mut PgConnection, organization: OrganizationId, slug: &str, now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into organization_slugs as s (slug, organization_id) values ($1, $2)
         on conflict (slug) do update set organization_id = $2, until = null
         where s.organization_id = $2 or s.until <= $3",
        slug,
        organization.0,
        now
    )
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "update organization_slugs set until = $3 where organization_id = $1 and slug <> $2 and until is null",
        organization.0,
        slug,
        now + FORMER_SLUG_LIFE
    )
    .execute(connection)
    .await?;
    Ok(true)
}

pub async fn organization_update(
    connection: &mut PgConnection, organization: OrganizationId, change: &OrganizationChange,
) -> Result<Organization> {
    let changed = sqlx::query_as!(
        Organization,
        r#"update organizations set name = coalesce($2, name), slug = coalesce($3, slug),
               logo_url = case when $4 then $5 else logo_url end, version = version + 1, updated_at = now()
           where id = $1
           returning id as "id: OrganizationId", name, slug, logo_url, version, created_at, updated_at"#,
        organization.0,
        change.name,
        change.slug,
        change.logo_url.is_some(),
        change.logo_url.clone().flatten()
    )
    .fetch_one(connection)
    .await?;
    Ok(changed)
}

pub async fn settings_get(
    connection: &mut PgConnection, organization: OrganizationId,
) -> Result<Option<OrganizationSettings>> {
    let found = sqlx::query_as!(
        OrganizationSettings,
        "select audit_retention_days, require_second_factor, version from organizations where id = $1",
        organization.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(found)
}

/// None: it has another version by now.
pub async fn settings_update(
    connection: &mut PgConnection, organization: OrganizationId, to: &OrganizationSettings,
) -> Result<Option<OrganizationSettings>> {
    let changed = sqlx::query_as!(
        OrganizationSettings,
        "update organizations set audit_retention_days = $3, require_second_factor = $4, version = version + 1,
             updated_at = now()
         where id = $1 and version = $2 returning audit_retention_days, require_second_factor, version",
        organization.0,
        to.version,
        to.audit_retention_days,
        to.require_second_factor
    )
    .fetch_optional(connection)
    .await?;
    Ok(changed)
}

/// What is left in the organization that a deletion would orphan.
pub async fn organization_remains(connection: &mut PgConnection, organization: OrganizationId) -> Result<Remains> {
    let servers =
        sqlx::query_scalar!("select name from servers where organization_id = $1 order by name", organization.0)
            .fetch_all(&mut *connection)
            .await?;
    let instances =
        sqlx::query_scalar!("select name from instances where organization_id = $1 order by name", organization.0)
            .fetch_all(connection)
            .await?;
    Ok(Remains { servers, instances })
}

/// Delete an organization with all that belongs to it.
pub async fn organization_delete(connection: &mut PgConnection, organization: OrganizationId) -> Result<()> {
    sqlx::query!("delete from organizations where id = $1", organization.0).execute(connection).await?;
    Ok(())
}

/// Make one member the owner and the former owner an admin.
pub async fn owner_change(
    connection: &mut PgConnection, organization: OrganizationId, from: UserId, to: UserId,
) -> Result<()> {
    // Whatever either holds in the whole organization goes; roles in parts of it stay.
    sqlx::query!(
        "delete from grants where organization_id = $1 and principal_type = 'user' and principal_id = any($2)
         and scope_type = 'organization'",
        organization.0,
        &[from.0, to.0]
    )
    .execute(&mut *connection)
    .await?;
    for (user, role) in [(from, SystemRole::Admin), (to, SystemRole::Owner)] {
        sqlx::query!(
            "insert into grants (id, organization_id, principal_type, principal_id, role_id, scope_type, scope_id)
             select $1, organization_id, 'user', $3, id, 'organization', organization_id from roles
             where organization_id = $2 and is_system and name = $4",
            GrantId::new().0,
            organization.0,
            user.0,
            role.name()
        )
        .execute(&mut *connection)
        .await?;
    }
    sqlx::query!(
        "update memberships set version = version + 1 where organization_id = $1 and user_id = any($2)",
        organization.0,
        &[from.0, to.0]
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("delete from member_overrides where organization_id = $1 and user_id = $2", organization.0, to.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether the session was begun with a second factor.
pub async fn session_has_second_factor(system: &PgPool, session: SessionId) -> Result<bool> {
    let has = sqlx::query_scalar!("select second_factor from sessions where id = $1", session.0)
        .fetch_optional(system)
        .await?;
    Ok(has.unwrap_or_default())
}

pub async fn is_owner(connection: &mut PgConnection, organization: OrganizationId, user: UserId) -> Result<bool> {
    let is = sqlx::query_scalar!(
        r#"select exists (select from grants g join roles r on r.id = g.role_id
               where g.organization_id = $1 and g.principal_type = 'user' and g.principal_id = $2
                 and g.scope_type = 'organization' and r.is_system and r.name = $3) as "is!""#,
        organization.0,
        user.0,
        SystemRole::Owner.name()
    )
    .fetch_one(connection)
    .await?;
    Ok(is)
}
