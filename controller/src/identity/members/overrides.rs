//! Exceptions of single members, and the answer to "why can she?".

use super::model::{Effect, EffectivePermission, MemberPermissions, Override};
use super::service::{changeable, found};
use super::store;
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::authentication::access_of_member;
use crate::identity::roles::grants::owner_fixed;
use crate::identity::roles::model::ScopeRef;
use crate::identity::roles::store::role_get;
use crate::platform::bus::Signal;
use crate::platform::http::ctx::Scope;
use crate::platform::http::{Ctx, IfMatch, Permission, PermissionSet, Place};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::UserId;
use serde_json::json;
use sqlx::Connection;

/// What a member may do in each scope, with what gives it.
pub async fn member_permissions_get(ctx: &Ctx, app: &App, id: UserId) -> Result<MemberPermissions> {
    ctx.require_everywhere()?;
    let member = found(app, ctx.organization, id).await?;
    let access = access_of_member(app, id, ctx.organization).await?.ok_or(Error::NotFound("member"))?;
    let mut connection = app.db.org(ctx.organization).await?;
    let overrides = store::override_list(&mut connection, ctx.organization, id).await?;
    // What each scope's roles hold; the exceptions decide what is left of it.
    let mut given: Vec<(ScopeRef, String, PermissionSet)> = Vec::new();
    for grant in &member.grants {
        if let Some(role) = role_get(&mut connection, ctx.organization, grant.role_id).await? {
            let set = PermissionSet::from_keys(role.permissions.iter().map(String::as_str));
            given.push((grant.scope, format!("role {}", role.name), set));
        }
    }
    let allowed = overrides.iter().filter(|o| o.effect == Effect::Allow && !access.is_owner);
    let allowed = PermissionSet::from_keys(allowed.map(|o| o.permission.as_str()));
    given.push((ScopeRef::default(), "override".into(), allowed));

    let mut effective: Vec<EffectivePermission> = Vec::new();
    let mut scopes: Vec<ScopeRef> = Vec::new();
    for (scope, ..) in &given {
        if !scopes.contains(scope) {
            scopes.push(*scope);
        }
    }
    for scope in scopes {
        let held = access.grants.iter().filter(|(s, _)| scope_ref(*s) == scope);
        let held = held.fold(PermissionSet::default(), |sum, (_, set)| sum.union(*set));
        for permission in held.iter() {
            let because = given
                .iter()
                .filter(|(s, _, set)| *s == scope && set.contains(permission))
                .map(|(_, reason, _)| reason.clone())
                .collect();
            effective.push(EffectivePermission { permission: permission.key().into(), scope, because });
        }
    }
    Ok(MemberPermissions { is_owner: access.is_owner, effective, overrides, version: member.version })
}

fn scope_ref(scope: Scope) -> ScopeRef {
    match scope {
        Scope::Organization => ScopeRef::default(),
        Scope::Project(id) => ScopeRef::from_row("project", id),
        Scope::Environment(id) => ScopeRef::from_row("environment", id),
        Scope::Server(id) => ScopeRef::from_row("server", id),
    }
}

fn permission_of(key: &str) -> Result<Permission> {
    Permission::parse(key).ok_or_else(|| {
        Error::field("key", "enum", format!("There is no permission '{key}'; GET /api/permissions lists them."))
    })
}

/// Let a member have or lack one permission, whatever the roles say. Nobody gives what they do not hold.
pub async fn override_set(
    ctx: &Ctx, app: &App, id: UserId, key: &str, effect: Effect, if_match: IfMatch,
) -> Result<MemberPermissions> {
    let permission = permission_of(key)?;
    if effect == Effect::Allow {
        ctx.require_held([permission].into_iter().collect(), &Place::default())?;
    }
    change(ctx, app, id, permission, Some(effect), if_match).await
}

/// Drop an exception. Dropping a denial gives, so it takes holding the permission.
pub async fn override_remove(
    ctx: &Ctx, app: &App, id: UserId, key: &str, if_match: IfMatch,
) -> Result<MemberPermissions> {
    change(ctx, app, id, permission_of(key)?, None, if_match).await
}

async fn change(
    ctx: &Ctx, app: &App, id: UserId, permission: Permission, effect: Option<Effect>, if_match: IfMatch,
) -> Result<MemberPermissions> {
    let member = found(app, ctx.organization, id).await?;
    if member.is_owner {
        return Err(owner_fixed());
    }
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    changeable(ctx, app, &mut tx, id, if_match).await?;
    let present: Vec<Override> = store::override_list(&mut tx, ctx.organization, id).await?;
    let before = present.iter().find(|o| o.permission == permission.key());
    if before.is_some_and(|o| o.effect == Effect::Deny) && effect != Some(Effect::Deny) {
        // What includes it comes back with it.
        let including = Permission::ALL.iter().copied().filter(|p| p.implies(permission));
        ctx.require_held(including.collect(), &Place::default())?;
    }
    match effect {
        Some(effect) => {
            store::override_set(&mut tx, ctx.organization, id, permission.key(), effect, ctx.actor()).await?;
        }
        None if before.is_none() => return Err(Error::NotFound("override")),
        None => store::override_remove(&mut tx, ctx.organization, id, permission.key()).await?,
    }
    store::member_touch(&mut tx, ctx.organization, id).await?;
    let subject = Subject::new("member", id.0, &member.name);
    let word = |effect: Option<Effect>| json!({ "permission": permission.key(), "effect": effect });
    let (earlier, after) = (word(before.map(|o| o.effect)), word(effect));
    let action = "member.permission_changed";
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, action, &subject, Some(earlier), Some(after)).await?;
    event_append(&mut tx, ctx.organization, action, ctx.actor(), &subject, json!({})).await?;
    tx.commit().await?;
    drop(connection);
    app.auth.forget_member(id, ctx.organization).await;
    app.bus.send(Signal::EventsAppended);
    member_permissions_get(ctx, app, id).await
}
