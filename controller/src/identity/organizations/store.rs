//! Every query on `organizations`, `organization_slugs` and `memberships` but those that identify a caller.
//!
//! Who has which organizations is asked through the system's pool: no organization is set yet.

use super::model::Organization;
use crate::error::Result;
use crate::platform::http::{Page, Principal};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{OrganizationId, UserId};
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
        r#"select o.id as "id: OrganizationId", o.name, o.slug, o.version, o.created_at, o.updated_at
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
        r#"select id as "id: OrganizationId", name, slug, version, created_at, updated_at
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
           returning id as "id: OrganizationId", name, slug, version, created_at, updated_at"#,
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
