//! Every query on `roles` and `grants` but those that identify a caller.

use super::model::{Grant, GrantHolder, Role, RoleInput, ScopeKind, ScopeRef, WantedGrant, role_permissions};
use crate::error::{Error, Result};
use crate::platform::http::permissions::SystemRole;
use crate::platform::http::{Page, Place};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{GrantId, OrganizationId, RoleId, UserId};
use sqlx::{PgConnection, PgPool};
use std::collections::HashMap;
use uuid::Uuid;

struct Row {
    id: RoleId,
    name: String,
    description: String,
    is_system: bool,
    permissions: Vec<String>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    member_count: i64,
}

impl From<Row> for Role {
    fn from(row: Row) -> Self {
        Self {
            permissions: role_permissions(&row.name, row.is_system, &row.permissions).keys(),
            id: row.id,
            name: row.name,
            description: row.description,
            is_system: row.is_system,
            member_count: row.member_count,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub async fn role_list(
    connection: &mut PgConnection, organization: OrganizationId, name: Option<&str>, page: &Page,
) -> Result<Vec<Role>> {
    let rows = sqlx::query_as!(
        Row,
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
    Ok(rows.into_iter().map(Role::from).collect())
}

/// Keep a role as it is until the transaction ends: what it is given for stays true until it is given.
pub async fn role_hold(connection: &mut PgConnection, organization: OrganizationId, id: RoleId) -> Result<()> {
    sqlx::query!("select id from roles where organization_id = $1 and id = $2 for share", organization.0, id.0)
        .fetch_optional(connection)
        .await?;
    Ok(())
}

/// Lock a role that is to be changed: of two who change it at once, one waits.
pub async fn role_lock(connection: &mut PgConnection, organization: OrganizationId, id: RoleId) -> Result<()> {
    sqlx::query!("select id from roles where organization_id = $1 and id = $2 for update", organization.0, id.0)
        .fetch_optional(connection)
        .await?;
    Ok(())
}

pub async fn role_get(connection: &mut PgConnection, organization: OrganizationId, id: RoleId) -> Result<Option<Role>> {
    let row = sqlx::query_as!(
        Row,
        r#"select r.id as "id: RoleId", r.name, r.description, r.is_system, r.permissions, r.version, r.created_at,
                  r.updated_at,
                  (select count(distinct g.principal_id) from grants g
                   where g.role_id = r.id and g.principal_type = 'user') as "member_count!"
           from roles r where r.organization_id = $1 and r.id = $2"#,
        organization.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Role::from))
}

/// None: the name is taken.
pub async fn role_insert(
    connection: &mut PgConnection, organization: OrganizationId, new: &RoleInput,
) -> Result<Option<RoleId>> {
    let id = sqlx::query_scalar!(
        r#"insert into roles (id, organization_id, name, description, permissions) values ($1, $2, $3, $4, $5)
           on conflict (organization_id, name) do nothing returning id as "id: RoleId""#,
        RoleId::new().0,
        organization.0,
        new.name,
        new.description,
        &new.permissions.keys()
    )
    .fetch_optional(connection)
    .await?;
    Ok(id)
}

/// Change a custom role of that version. False: somebody else was faster.
pub async fn role_update(
    connection: &mut PgConnection, organization: OrganizationId, id: RoleId, version: i64, to: &RoleInput,
) -> Result<bool> {
    let done = sqlx::query!(
        "update roles set name = $4, description = $5, permissions = $6, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2 and version = $3 and not is_system",
        organization.0,
        id.0,
        version,
        to.name,
        to.description,
        &to.permissions.keys()
    )
    .execute(connection)
    .await;
    match done {
        Ok(done) => Ok(done.rows_affected() > 0),
        Err(error) if error.as_database_error().is_some_and(|e| e.is_unique_violation()) => Err(name_taken(&to.name)),
        Err(error) => Err(error.into()),
    }
}

pub fn name_taken(name: &str) -> Error {
    Error::conflict("name_taken", format!("There is a role named '{name}' already; choose another name."))
}

/// How many people and service accounts hold a role, and how many are invited to it.
pub async fn role_holders(
    connection: &mut PgConnection, organization: OrganizationId, id: RoleId,
) -> Result<(i64, i64, i64)> {
    let row = sqlx::query!(
        r#"select (select count(distinct principal_id) from grants
                   where organization_id = $1 and role_id = $2 and principal_type = 'user') as "people!",
                  (select count(distinct principal_id) from grants
                   where organization_id = $1 and role_id = $2 and principal_type <> 'user') as "accounts!",
                  (select count(*) from invitations where organization_id = $1 and role_id = $2
                   and accepted_at is null and cancelled_at is null) as "invitations!""#,
        organization.0,
        id.0
    )
    .fetch_one(connection)
    .await?;
    Ok((row.people, row.accounts, row.invitations))
}

pub async fn role_delete(connection: &mut PgConnection, organization: OrganizationId, id: RoleId) -> Result<()> {
    sqlx::query!("delete from roles where organization_id = $1 and id = $2 and not is_system", organization.0, id.0)
        .execute(connection)
        .await?;
    Ok(())
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

/// Where a scope is; None when there is no such object in the organization.
pub async fn scope_place(
    connection: &mut PgConnection, organization: OrganizationId, scope: ScopeRef,
) -> Result<Option<Place>> {
    let id = scope.id.unwrap_or_default();
    let project = match scope.kind {
        ScopeKind::Organization => return Ok(Some(Place::default())),
        ScopeKind::Project => {
            sqlx::query_scalar!("select id from projects where organization_id = $1 and id = $2", organization.0, id)
                .fetch_optional(connection)
                .await?
        }
        ScopeKind::Environment => {
            sqlx::query_scalar!(
                "select project_id from environments where organization_id = $1 and id = $2",
                organization.0,
                id
            )
            .fetch_optional(connection)
            .await?
        }
        ScopeKind::Server => {
            sqlx::query_scalar!("select id from servers where organization_id = $1 and id = $2", organization.0, id)
                .fetch_optional(connection)
                .await?
        }
    };
    Ok(project.map(|project| scope.place(Some(project))))
}

/// Grants by who holds them, each with whether its role is a system role; read by the system, which shows people.
pub async fn grants_of(
    system: &PgPool, organization: OrganizationId, kind: &str, holders: &[Uuid],
) -> Result<HashMap<Uuid, Vec<(Grant, bool)>>> {
    let rows = sqlx::query!(
        r#"select g.principal_id, g.role_id as "role_id: RoleId", r.name, r.is_system, g.scope_type, g.scope_id
           from grants g join roles r on r.id = g.role_id
           where g.organization_id = $1 and g.principal_type = $2 and g.principal_id = any($3)
           order by (g.scope_type <> 'organization'), r.name, g.scope_id"#,
        organization.0,
        kind,
        holders
    )
    .fetch_all(system)
    .await?;
    let mut grants: HashMap<Uuid, Vec<(Grant, bool)>> = HashMap::new();
    for row in rows {
        let scope = ScopeRef::from_row(&row.scope_type, row.scope_id);
        let grant = Grant { role_id: row.role_id, role: row.name, scope };
        grants.entry(row.principal_id).or_default().push((grant, row.is_system));
    }
    Ok(grants)
}

pub async fn grant_add(
    connection: &mut PgConnection, organization: OrganizationId, holder: GrantHolder, grant: WantedGrant,
) -> Result<()> {
    let (kind, id) = holder.row();
    sqlx::query!(
        "insert into grants (id, organization_id, principal_type, principal_id, role_id, scope_type, scope_id)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (organization_id, principal_type, principal_id, role_id, scope_type, scope_id) do nothing",
        GrantId::new().0,
        organization.0,
        kind,
        id,
        grant.role.0,
        grant.scope.kind.word(),
        grant.scope.row_id(organization)
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn grant_remove(
    connection: &mut PgConnection, organization: OrganizationId, holder: GrantHolder, grant: WantedGrant,
) -> Result<()> {
    let (kind, id) = holder.row();
    sqlx::query!(
        "delete from grants where organization_id = $1 and principal_type = $2 and principal_id = $3
         and role_id = $4 and scope_type = $5 and scope_id = $6",
        organization.0,
        kind,
        id,
        grant.role.0,
        grant.scope.kind.word(),
        grant.scope.row_id(organization)
    )
    .execute(connection)
    .await?;
    Ok(())
}
