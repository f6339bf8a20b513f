//! The rules of members: nobody gives or takes what they do not hold themself, nobody changes themself, and the owner is
//! changed by a transfer only.

use super::model::{KeysFate, Member};
use super::store::{self, MemberFilter};
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::api_keys::store::service_account_exists;
use crate::identity::audit::store::audit_append;
use crate::identity::authentication::access_of_member;
use crate::identity::roles::grants::{grants_set, owner_fixed};
use crate::identity::roles::model::{GrantHolder, ScopeRef, WantedGrant};
use crate::identity::roles::store::scope_place;
use crate::platform::bus::Signal;
use crate::platform::http::ctx::Access;
use crate::platform::http::{Caller, Ctx, IfMatch, List, Page, PermissionSet, Principal};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::{OrganizationId, UserId};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

pub async fn member_list(ctx: &Ctx, app: &App, filter: &MemberFilter<'_>, page: &Page) -> Result<List<Member>> {
    ctx.require_everywhere()?;
    let members = store::member_list(app.db.system(), ctx.organization, filter, page).await?;
    Ok(List::new(members, page, |member| member.id.0))
}

pub async fn member_get(ctx: &Ctx, app: &App, id: UserId) -> Result<Member> {
    ctx.require_everywhere()?;
    found(app, ctx.organization, id).await
}

pub(super) async fn found(app: &App, organization: OrganizationId, id: UserId) -> Result<Member> {
    let filter = MemberFilter { id: Some(id), ..MemberFilter::default() };
    let mut list = store::member_list(app.db.system(), organization, &filter, &Page::default()).await?;
    list.pop().ok_or(Error::NotFound("member"))
}

/// Somebody who may be changed by this caller: not themself, not the owner, nobody who may do more.
///
/// The member is locked first, so that what is read of them stays until the transaction ends.
pub(super) async fn changeable(
    ctx: &Ctx, app: &App, connection: &mut PgConnection, id: UserId, if_match: IfMatch,
) -> Result<Access> {
    ctx.require_everywhere()?;
    let version = store::member_lock(connection, ctx.organization, id).await?.ok_or(Error::NotFound("member"))?;
    if_match.check(version)?;
    if matches!(ctx.caller.principal, Principal::Person { user, .. } | Principal::Key { user: Some(user), .. } if user == id)
    {
        return Err(Error::forbidden("own_access", "Nobody changes what they may do themself; ask another member."));
    }
    let access = access_of_member(app, id, ctx.organization).await?.ok_or(Error::NotFound("member"))?;
    if access.is_owner {
        return Err(owner_fixed());
    }
    if !ctx.access.covers(&access) {
        return Err(Error::forbidden(
            "stronger_than_yourself",
            "This member may do more than you, so only somebody who may do as much changes that.",
        ));
    }
    Ok(access)
}

/// The one role of a member in the whole organization; roles in parts of it stay.
pub async fn member_role_set(
    ctx: &Ctx, app: &App, id: UserId, role: ocore_shared::ids::RoleId, if_match: IfMatch,
) -> Result<Member> {
    let before = found(app, ctx.organization, id).await?;
    let wanted = WantedGrant { role, scope: ScopeRef::default() };
    let others = before.grants.iter().filter(|grant| grant.scope != ScopeRef::default());
    let grants = others.map(WantedGrant::from).chain([wanted]).collect();
    grants_replace(ctx, app, &before, grants, if_match, "role_id", "member.role_changed").await
}

/// All roles of a member, each in its scope.
pub async fn member_grants_set(
    ctx: &Ctx, app: &App, id: UserId, grants: Vec<WantedGrant>, if_match: IfMatch,
) -> Result<Member> {
    let before = found(app, ctx.organization, id).await?;
    grants_replace(ctx, app, &before, grants, if_match, "grants", "member.grants_changed").await
}

async fn grants_replace(
    ctx: &Ctx, app: &App, before: &Member, wanted: Vec<WantedGrant>, if_match: IfMatch, field: &str, action: &str,
) -> Result<Member> {
    let id = before.id;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    changeable(ctx, app, &mut tx, id, if_match).await?;
    // Read anew under the lock.
    let present = found(app, ctx.organization, id).await?.grants.iter().map(WantedGrant::from).collect();
    grants_set(ctx, &mut tx, GrantHolder::User(id), &present, &wanted, field).await?;
    store::member_touch(&mut tx, ctx.organization, id).await?;
    let subject = Subject::new("member", id.0, &before.name);
    let after: Vec<Value> = wanted.iter().map(|g| json!({ "role_id": g.role, "scope": g.scope })).collect();
    let earlier = json!({ "grants": before.grants });
    let after = json!({ "grants": after });
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, action, &subject, Some(earlier), Some(after)).await?;
    event_append(&mut tx, ctx.organization, action, ctx.actor(), &subject, json!({})).await?;
    tx.commit().await?;
    drop(connection);
    app.auth.forget_member(id, ctx.organization).await;
    app.bus.send(Signal::EventsAppended);
    found(app, ctx.organization, id).await
}

/// Remove a member. Their access ends at once here and within five seconds everywhere, open streams too.
pub async fn member_remove(
    ctx: &Ctx, app: &App, id: UserId, keys: KeysFate, if_match: IfMatch, dry_run: bool,
) -> Result<()> {
    let member = found(app, ctx.organization, id).await?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    changeable(ctx, app, &mut tx, id, if_match).await?;
    keys_settle(ctx, app, &mut tx, id, keys).await?;
    if dry_run {
        return Ok(());
    }
    end(&mut tx, ctx.organization, &ctx.caller, &member, "member.removed").await?;
    tx.commit().await?;
    app.auth.forget_member(id, ctx.organization).await;
    app.auth.forget_keys();
    app.bus.send(Signal::EventsAppended);
    Ok(())
}

/// Leave an organization. Keys that one made for oneself end with it.
pub async fn member_leave(caller: &Caller, app: &App, organization: OrganizationId, access: &Access) -> Result<()> {
    let (user, _) = caller.person()?;
    if access.is_owner {
        return Err(Error::conflict(
            "owner_stays",
            "The owner cannot leave; transfer the organization first (POST /api/org/transfer), or delete it.",
        ));
    }
    let member = found(app, organization, user).await?;
    let now = app.clock.now();
    let mut connection = app.db.org(organization).await?;
    let mut tx = connection.begin().await?;
    store::member_lock(&mut tx, organization, user).await?.ok_or(Error::NotFound("member"))?;
    let keys: Vec<Uuid> =
        store::keys_of_member(&mut tx, organization, user, now).await?.iter().map(|key| key.id.0).collect();
    store::keys_revoke(&mut tx, organization, &keys, now).await?;
    end(&mut tx, organization, caller, &member, "member.left").await?;
    tx.commit().await?;
    app.auth.forget_member(user, organization).await;
    app.auth.forget_keys();
    app.bus.send(Signal::EventsAppended);
    Ok(())
}

async fn keys_settle(ctx: &Ctx, app: &App, connection: &mut PgConnection, id: UserId, fate: KeysFate) -> Result<()> {
    let now = app.clock.now();
    let keys = store::keys_of_member(connection, ctx.organization, id, now).await?;
    let ids: Vec<Uuid> = keys.iter().map(|key| key.id.0).collect();
    match fate {
        _ if keys.is_empty() => Ok(()),
        KeysFate::Asked => {
            let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
            Err(Error::conflict(
                "member_has_keys",
                format!(
                    "These API keys end with the member: {}. Say what becomes of them: ?keys=revoke, or \
                     ?keys=give&service_account_id=ID.",
                    names.join(", ")
                ),
            ))
        }
        KeysFate::Revoked => store::keys_revoke(connection, ctx.organization, &ids, now).await,
        KeysFate::Given(account) => {
            for key in &keys {
                let scope = ScopeRef::from_row(&key.scope_type, key.scope_id);
                let place = scope_place(connection, ctx.organization, scope).await?.unwrap_or_default();
                let set = PermissionSet::from_keys(key.permissions.iter().map(String::as_str));
                ctx.require_held(set, &place)?;
            }
            if !service_account_exists(connection, ctx.organization, account).await? {
                return Err(Error::field("service_account_id", "exists", "There is no such service account."));
            }
            store::keys_give(connection, ctx.organization, &ids, account).await
        }
    }
}

async fn end(
    connection: &mut PgConnection, organization: OrganizationId, caller: &Caller, member: &Member, action: &str,
) -> Result<()> {
    store::member_remove(connection, organization, member.id).await?;
    let subject = Subject::new("member", member.id.0, &member.name);
    let before = json!({ "email": member.email, "grants": member.grants });
    audit_append(connection, Some(organization), caller, action, &subject, Some(before), None).await?;
    event_append(connection, organization, action, &caller.actor, &subject, json!({})).await
}
