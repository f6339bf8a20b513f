//! Giving and taking roles, whoever gets them: nobody gives or takes what they do not hold in that scope.

use super::model::{GrantHolder, Role, ScopeRef, WantedGrant};
use super::store::{self, role_get, scope_place};
use crate::error::{Error, Problem, Result};
use crate::platform::http::permissions::SystemRole;
use crate::platform::http::{Ctx, PermissionSet, Place};
use sqlx::PgConnection;
use std::collections::{HashMap, HashSet};

/// Let the holder have exactly these roles, in the caller's transaction. Errors name `field`.
pub async fn grants_set(
    ctx: &Ctx, connection: &mut PgConnection, holder: GrantHolder, present: &HashSet<WantedGrant>,
    wanted: &[WantedGrant], field: &str,
) -> Result<()> {
    let places = places(ctx, connection, wanted, field).await?;
    let wanted: HashSet<WantedGrant> = wanted.iter().copied().collect();
    for grant in wanted.difference(present) {
        let role = role_givable(ctx, connection, *grant, field).await?;
        ctx.require_held(role_set(&role), &places[&grant.scope])?;
        store::grant_add(connection, ctx.organization, holder, *grant).await?;
    }
    for grant in present.difference(&wanted) {
        let place = scope_place(connection, ctx.organization, grant.scope).await?.unwrap_or_default();
        if let Some(role) = role_get(connection, ctx.organization, grant.role).await? {
            ctx.require_held(role_set(&role), &place)?;
        }
        store::grant_remove(connection, ctx.organization, holder, *grant).await?;
    }
    Ok(())
}

pub fn owner_fixed() -> Error {
    Error::forbidden("owner_fixed", "There is one owner; the organization is transferred by POST /api/org/transfer.")
}

fn role_set(role: &Role) -> PermissionSet {
    PermissionSet::from_keys(role.permissions.iter().map(String::as_str))
}

/// A role that may be given at all: the owner's is not.
pub async fn role_givable(ctx: &Ctx, connection: &mut PgConnection, grant: WantedGrant, field: &str) -> Result<Role> {
    store::role_hold(connection, ctx.organization, grant.role).await?;
    let role = role_get(connection, ctx.organization, grant.role).await?.ok_or_else(|| {
        Error::field(field, "exists", "There is no such role in this organization; GET /api/roles lists them.")
    })?;
    if role.is_system && role.name == SystemRole::Owner.name() {
        return Err(owner_fixed());
    }
    Ok(role)
}

/// Where each scope is; all that do not exist are told at once.
async fn places(
    ctx: &Ctx, connection: &mut PgConnection, wanted: &[WantedGrant], field: &str,
) -> Result<HashMap<ScopeRef, Place>> {
    let mut places = HashMap::new();
    let mut problems = Vec::new();
    for (index, grant) in wanted.iter().enumerate() {
        let path = format!("{field}[{index}].scope.id");
        grant.scope.check(&path)?;
        match scope_place(connection, ctx.organization, grant.scope).await? {
            Some(place) => drop(places.insert(grant.scope, place)),
            None => problems.push(Problem {
                message: format!("There is no such {} in this organization.", grant.scope.kind.word()),
                field: path,
                constraint: "exists".into(),
            }),
        }
    }
    if problems.is_empty() { Ok(places) } else { Err(Error::Invalid(problems)) }
}
