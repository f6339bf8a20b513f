//! Every query on `roles` and `grants` but those that identify a caller.

use super::model::{Role, role_permissions};
use crate::error::Result;
use crate::platform::http::Page;
use crate::platform::http::permissions::SystemRole;
use ocore_shared::ids::{GrantId, OrganizationId, RoleId, UserId};
use sqlx::PgConnection;

pub async fn role_list(
    connection: &mut PgConnection, organization: OrganizationId, name: Option<&str>, page: &Page,
) -> Result<Vec<Role>> {
    let rows = sqlx::query!(
        r#"select r.id as "id: RoleId", r.name, r.description, r.is_system, r.permissions, r.version, r.created_at,
                  r.updated_at,
                  (select count(distinct g.principal_id) from grants g
                   where g.role_id = r.id and g.principal_type = 'user') as "member_count!"
           from roles r
           where r.organization_id = $1 and ($2::text is null or r.name = $2) and ($3::uuid is null or r.id < $3)
           order by r.id desc limit $4"#,
        organization.0,
        name,
        page.before()?,
        page.fetch()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Role {
            permissions: role_permissions(&row.name, row.is_system, &row.permissions).keys(),
            id: row.id,
            name: row.name,
            description: row.description,
            is_system: row.is_system,
            member_count: row.member_count,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
        .collect())
}

pub async fn system_role_insert(
    connection: &mut PgConnection, organization: OrganizationId, role: SystemRole,
) -> Result<RoleId> {
    let id = RoleId::new();
    sqlx::query!(
        "insert into roles (id, organization_id, name, description, is_system, permissions) values ($1, $2, $3, $4, true, $5)",
        id.0,
        organization.0,
        role.name(),
        role.description(),
        &role.permissions().keys()
    )
    .execute(connection)
    .await?;
    Ok(id)
}

/// Grant a role in the whole organization.
pub async fn grant_insert(
    connection: &mut PgConnection, organization: OrganizationId, user: UserId, role: RoleId,
) -> Result<()> {
    sqlx::query!(
        "insert into grants (id, organization_id, principal_type, principal_id, role_id, scope_type, scope_id)
         values ($1, $2, 'user', $3, $4, 'organization', $2)",
        GrantId::new().0,
        organization.0,
        user.0,
        role.0
    )
    .execute(connection)
    .await?;
    Ok(())
}
