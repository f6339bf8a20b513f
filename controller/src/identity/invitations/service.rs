//! The rules of invitations: a role that whoever invites holds, an address that only its owner reads, used once.

use super::model::{Invitation, InvitationSent, InvitationView, LIFE};
use super::store::{self, InvitationFilter, NewInvitation};
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::roles::grants::role_givable;
use crate::identity::roles::model::{GrantHolder, Role, ScopeRef, WantedGrant};
use crate::identity::roles::store::grant_add;
use crate::platform::bus::Signal;
use crate::platform::http::{Caller, Ctx, IfMatch, List, Page, PermissionSet, Place};
use crate::platform::jobs::tasks::task_poke;
use crate::platform::mail::model::{Letter, Mail};
use crate::platform::mail::service::{mail_queue, mail_settings, page_url};
use crate::platform::secrets::{token_hash, token_make};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{InvitationId, OrganizationId, RoleId, UserId};
use ocore_shared::secret::Secret;
use serde_json::json;
use sqlx::PgConnection;

pub async fn invitation_list(ctx: &Ctx, app: &App, filter: &InvitationFilter, page: &Page) -> Result<List<Invitation>> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let list = store::invitation_list(&mut connection, ctx.organization, filter, page, app.clock.now()).await?;
    Ok(List::new(list, page, |invitation| invitation.id.0))
}

/// Invite an address with a role in the whole organization.
pub async fn member_invite(ctx: &Ctx, app: &App, email: &str, role: RoleId) -> Result<InvitationSent> {
    ctx.require_everywhere()?;
    let now = app.clock.now();
    let mut tx = app.db.system().begin().await?;
    let wanted = WantedGrant { role, scope: ScopeRef::default() };
    let role = role_givable(ctx, &mut tx, wanted, "role_id").await?;
    held(ctx, &role)?;
    if store::is_member(&mut tx, ctx.organization, email).await? {
        return Err(Error::conflict("already_member", format!("{email} is a member already.")));
    }
    let token = token_make();
    let new = NewInvitation {
        email,
        role: role.id,
        token_hash: &token_hash(token.expose()),
        invited_by: ctx.actor(),
        expires_at: now + LIFE,
    };
    let id = store::invitation_insert(&mut tx, ctx.organization, &new, now).await?;
    let sent = send(ctx, app, &mut tx, id, &token, "member.invited").await?;
    tx.commit().await?;
    task_poke(app);
    app.bus.send(Signal::EventsAppended);
    Ok(sent)
}

/// Send an invitation again, with another link and a new life. Whoever does that must hold its role, too.
pub async fn invitation_resend(ctx: &Ctx, app: &App, id: InvitationId) -> Result<InvitationSent> {
    ctx.require_everywhere()?;
    let mut tx = app.db.system().begin().await?;
    let invitation = found(app, &mut tx, ctx.organization, id).await?;
    let wanted = WantedGrant { role: invitation.role_id, scope: ScopeRef::default() };
    held(ctx, &role_givable(ctx, &mut tx, wanted, "role_id").await?)?;
    let token = token_make();
    let hash = token_hash(token.expose());
    if !store::invitation_renew(&mut tx, ctx.organization, id, &hash, app.clock.now() + LIFE).await? {
        return Err(ended());
    }
    let sent = send(ctx, app, &mut tx, id, &token, "member.invited").await?;
    tx.commit().await?;
    task_poke(app);
    app.bus.send(Signal::EventsAppended);
    Ok(sent)
}

fn held(ctx: &Ctx, role: &Role) -> Result<()> {
    ctx.require_held(PermissionSet::from_keys(role.permissions.iter().map(String::as_str)), &Place::default())
}

fn ended() -> Error {
    Error::conflict("invitation_ended", "This invitation was accepted or cancelled; invite the address anew.")
}

async fn found(
    app: &App, connection: &mut PgConnection, organization: OrganizationId, id: InvitationId,
) -> Result<Invitation> {
    let filter = InvitationFilter { id: Some(id), status: None };
    let now = app.clock.now();
    let mut list = store::invitation_list(connection, organization, &filter, &Page::default(), now).await?;
    list.pop().ok_or(Error::NotFound("invitation"))
}

async fn send(
    ctx: &Ctx, app: &App, connection: &mut PgConnection, id: InvitationId, token: &Secret, action: &str,
) -> Result<InvitationSent> {
    let invitation = found(app, connection, ctx.organization, id).await?;
    let link = page_url(app, &format!("/invite#token={}", token.expose()));
    let organization = crate::identity::organizations::store::organization_get(connection, ctx.organization).await?;
    let letter = Letter::Invitation {
        organization: organization.map(|o| o.name).unwrap_or_default(),
        role: invitation.role.clone(),
        invited_by: ctx.actor().name.clone(),
        link: link.clone(),
    };
    let mail = Mail { organization: Some(ctx.organization), to: invitation.email.clone(), letter };
    mail_queue(connection, app, &mail).await?;
    let subject = Subject::new("invitation", id.0, &invitation.email);
    let after = json!({ "email": invitation.email, "role_id": invitation.role_id, "role": invitation.role });
    audit_append(connection, Some(ctx.organization), &ctx.caller, action, &subject, None, Some(after)).await?;
    event_append(connection, ctx.organization, action, ctx.actor(), &subject, json!({})).await?;
    let link = mail_settings(connection, app).await?.is_none().then_some(link);
    Ok(InvitationSent { invitation, link })
}

/// Cancel an invitation; its link is void at once.
pub async fn invitation_cancel(ctx: &Ctx, app: &App, id: InvitationId, if_match: IfMatch) -> Result<()> {
    ctx.require_everywhere()?;
    let mut tx = app.db.system().begin().await?;
    let invitation = found(app, &mut tx, ctx.organization, id).await?;
    if_match.check(invitation.version)?;
    if !store::invitation_cancel(&mut tx, ctx.organization, id, app.clock.now()).await? {
        return Err(ended());
    }
    let subject = Subject::new("invitation", id.0, &invitation.email);
    let before = serde_json::to_value(&invitation).map_err(Error::internal)?;
    let action = "invitation.cancelled";
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, action, &subject, Some(before), None).await?;
    event_append(&mut tx, ctx.organization, action, ctx.actor(), &subject, json!({})).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(())
}

/// What the holder of a link sees.
pub async fn invitation_view(app: &App, token: &Secret) -> Result<InvitationView> {
    let hash = token_hash(token.expose());
    store::invitation_view(app.db.system(), &hash, app.clock.now()).await?.ok_or(Error::NotFound("invitation"))
}

/// Join by an invitation, with an account of the invited address. The organization that was joined.
pub async fn invitation_accept(caller: &Caller, app: &App, token: &Secret) -> Result<OrganizationId> {
    let (user, _) = caller.person()?;
    let mut tx = app.db.system().begin().await?;
    let (name, email) = store::email_of(&mut tx, user).await?.ok_or(Error::NotFound("account"))?;
    let joining = Joining { caller, user, name: &name, email: &email };
    let organization = invitation_join(&mut tx, &joining, token, app.clock.now()).await?;
    tx.commit().await?;
    app.auth.forget_member(user, organization).await;
    app.bus.send(Signal::EventsAppended);
    Ok(organization)
}

/// Somebody who accepts an invitation.
pub struct Joining<'a> {
    pub caller: &'a Caller,
    pub user: UserId,
    pub name: &'a str,
    pub email: &'a str,
}

/// Use an invitation up, in the caller's transaction, which is the system's. The organization that was joined.
pub async fn invitation_join(
    connection: &mut PgConnection, joining: &Joining<'_>, token: &Secret, now: DateTime<Utc>,
) -> Result<OrganizationId> {
    let Joining { caller, user, name, email } = *joining;
    let taken = store::invitation_take(connection, &token_hash(token.expose()), user, now).await?;
    let accepted = taken.ok_or(Error::NotFound("invitation"))?;
    same_address(email, &accepted.email)?;
    let organization = accepted.organization;
    if !store::membership_add(connection, organization, user).await? {
        return Err(Error::conflict("already_member", "You are a member of this organization already."));
    }
    let grant = WantedGrant { role: accepted.role, scope: ScopeRef::default() };
    grant_add(connection, organization, GrantHolder::User(user), grant).await?;
    let subject = Subject::new("member", user.0, name);
    let after = json!({ "role_id": accepted.role });
    audit_append(connection, Some(organization), caller, "member.joined", &subject, None, Some(after)).await?;
    event_append(connection, organization, "member.joined", &caller.actor, &subject, json!({})).await?;
    Ok(organization)
}

/// An invitation is one address's.
pub fn same_address(own: &str, invited: &str) -> Result<()> {
    if own.to_lowercase() == invited.to_lowercase() {
        return Ok(());
    }
    Err(Error::forbidden(
        "other_address",
        "This invitation is for another address; sign in with an account of that address.",
    ))
}
