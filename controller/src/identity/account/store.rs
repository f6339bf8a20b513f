//! The queries of one's own account, through the system's pool: they cross organizations.

use super::model::{Account, AccountOrganization};
use crate::error::Result;
use crate::identity::roles::model::{role_permissions, role_rank};
use crate::platform::http::PermissionSet;
use ocore_shared::ids::{OrganizationId, UserId};
use sqlx::PgPool;

pub async fn account_get(system: &PgPool, user: UserId) -> Result<Option<Account>> {
    let row = sqlx::query!(
        "select email, name, is_admin, version, created_at, updated_at from users where id = $1 and deactivated_at is null",
        user.0
    )
    .fetch_optional(system)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Account {
        id: user,
        email: row.email,
        name: row.name,
        is_admin: row.is_admin,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
        organizations: organizations(system, user).await?,
    }))
}

async fn organizations(system: &PgPool, user: UserId) -> Result<Vec<AccountOrganization>> {
    let rows = sqlx::query!(
        r#"select o.id as "id: OrganizationId", o.slug, o.name, g.scope_type as "scope_type?",
                  r.name as "role?", r.is_system as "is_system?", r.permissions as "permissions?"
           from memberships m
           join organizations o on o.id = m.organization_id
           left join grants g on g.organization_id = o.id and g.principal_type = 'user' and g.principal_id = $1
           left join roles r on r.id = g.role_id
           where m.user_id = $1
           order by lower(o.name), o.id, (g.scope_type is distinct from 'organization'), r.name"#,
        user.0
    )
    .fetch_all(system)
    .await?;
    let mut found: Vec<(AccountOrganization, PermissionSet, usize)> = Vec::new();
    for row in rows {
        if found.last().is_none_or(|(last, ..)| last.id != row.id) {
            let organization = AccountOrganization {
                id: row.id,
                slug: row.slug,
                name: row.name,
                role: "member".into(),
                permissions: vec![],
            };
            found.push((organization, PermissionSet::default(), usize::MAX));
        }
        let (Some((organization, set, rank)), Some(role), Some(is_system), Some(permissions)) =
            (found.last_mut(), row.role, row.is_system, row.permissions)
        else {
            continue;
        };
        *set = set.union(role_permissions(&role, is_system, &permissions));
        // A role in the whole organization comes before any role in a part of it.
        let part = if row.scope_type.as_deref() == Some("organization") { 0 } else { 100 };
        if part + role_rank(&role, is_system) < *rank {
            *rank = part + role_rank(&role, is_system);
            organization.role = role;
        }
    }
    Ok(found
        .into_iter()
        .map(|(organization, set, _)| AccountOrganization { permissions: set.keys(), ..organization })
        .collect())
}
