//! The rules of accounts, for the administrator: nobody locks everybody out, and nobody is left without an owner.

use super::model::{AdminUser, AdminUserDetail, NewUser, PasswordLink, UserFilter, UserStatus};
use super::store;
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::auth::store::sessions_revoke;
use crate::identity::authentication::Passwords;
use crate::identity::second_factors::service::{sessions_forget, totp_remove};
use crate::platform::bus::Signal;
use crate::platform::http::{Caller, IfMatch, List, Page};
use crate::platform::jobs::tasks::task_poke;
use crate::platform::mail::model::{Letter, Mail};
use crate::platform::mail::service::{mail_queue, mail_settings, page_url};
use crate::platform::secrets::{token_hash, token_make};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use chrono::TimeDelta;
use ocore_shared::ids::{OrganizationId, SessionId, UserId};
use serde_json::{Value, json};
use sqlx::PgConnection;

/// Life of the first link of somebody for whom an account was made.
const WELCOME_LIFE: TimeDelta = TimeDelta::days(7);
const RESET_LIFE: TimeDelta = TimeDelta::hours(1);

pub async fn user_list(app: &App, filter: &UserFilter<'_>, page: &Page) -> Result<List<AdminUser>> {
    let mut connection = app.db.system().acquire().await?;
    let users = store::user_list(&mut connection, filter, page).await?;
    Ok(List::new(users, page, |user| user.id.0))
}

pub async fn user_get(app: &App, id: UserId) -> Result<AdminUserDetail> {
    let mut connection = app.db.system().acquire().await?;
    let user = store::user_get(&mut connection, id).await?.ok_or(Error::NotFound("user"))?;
    let organizations = store::user_organizations(&mut connection, id).await?;
    let (session_count, api_key_count) = store::user_credentials(&mut connection, id, app.clock.now()).await?;
    Ok(AdminUserDetail { user, organizations, session_count, api_key_count })
}

/// Make an account. Without a password its person chooses one by a link.
pub async fn user_create(caller: &Caller, app: &App, new: NewUser) -> Result<(AdminUser, Option<PasswordLink>)> {
    let password_hash = match &new.password {
        Some(password) => {
            Passwords::check("password", password)?;
            Some(app.auth.passwords.hash(password).await?)
        }
        None => None,
    };
    let now = app.clock.now();
    let id = UserId::new();
    let mut tx = app.db.system().begin().await?;
    // Somebody who has just lost the right makes no other administrator.
    rights_lock(&mut tx, caller).await?;
    let hash = password_hash.as_deref();
    if !store::user_insert(&mut tx, id, new.email.trim(), &new.name, hash, new.is_admin, now).await? {
        return Err(Error::conflict("email_taken", "There is an account of this address already."));
    }
    let user = store::user_get(&mut tx, id).await?.ok_or(Error::NotFound("user"))?;
    let link = match new.password {
        Some(_) => None,
        None => Some(link_send(&mut tx, app, &user, WELCOME_LIFE, |name, link| Letter::Welcome { name, link }).await?),
    };
    note(&mut tx, caller, "user.created", &user, None, Some(&user)).await?;
    tx.commit().await?;
    task_poke(app);
    Ok((user, link))
}

/// Lock somebody out: their sessions end, and their keys work no more until they are let in again.
pub async fn user_suspend(
    caller: &Caller, app: &App, id: UserId, reason: &str, if_match: IfMatch,
) -> Result<AdminUser> {
    let mut tx = app.db.system().begin().await?;
    rights_lock(&mut tx, caller).await?;
    let before = found(&mut tx, id, if_match).await?;
    not_oneself(caller, id, "suspend")?;
    if before.status == UserStatus::Suspended {
        return Err(Error::conflict("already_suspended", "This person is suspended already."));
    }
    let now = app.clock.now();
    store::user_suspend(&mut tx, id, Some(now), Some(reason)).await?;
    let ended = sessions_revoke(&mut tx, id, now).await?;
    let after = finish(&mut tx, caller, "user.suspended", &before).await?;
    tx.commit().await?;
    forget(app, &ended).await;
    Ok(after)
}

/// Let somebody in again.
pub async fn user_unsuspend(caller: &Caller, app: &App, id: UserId, if_match: IfMatch) -> Result<AdminUser> {
    let mut tx = app.db.system().begin().await?;
    rights_lock(&mut tx, caller).await?;
    let before = found(&mut tx, id, if_match).await?;
    if before.status != UserStatus::Suspended {
        return Err(Error::conflict("not_suspended", "This person is not suspended."));
    }
    store::user_suspend(&mut tx, id, None, None).await?;
    let after = finish(&mut tx, caller, "user.unsuspended", &before).await?;
    tx.commit().await?;
    forget(app, &[]).await;
    Ok(after)
}

/// Make somebody an administrator of the platform.
pub async fn user_promote(caller: &Caller, app: &App, id: UserId, if_match: IfMatch) -> Result<AdminUser> {
    let mut tx = app.db.system().begin().await?;
    rights_lock(&mut tx, caller).await?;
    let before = found(&mut tx, id, if_match).await?;
    if before.is_admin {
        return Err(Error::conflict("already_admin", "This person is an administrator already."));
    }
    if before.status != UserStatus::Active {
        return Err(Error::conflict("not_active", "Only who can sign in becomes an administrator."));
    }
    store::user_admin_set(&mut tx, id, true).await?;
    let after = finish(&mut tx, caller, "user.promoted", &before).await?;
    tx.commit().await?;
    app.auth.forget_sessions();
    Ok(after)
}

/// Take the rights of an administrator, but never the last one's.
pub async fn user_demote(caller: &Caller, app: &App, id: UserId, if_match: IfMatch) -> Result<AdminUser> {
    let mut tx = app.db.system().begin().await?;
    rights_lock(&mut tx, caller).await?;
    let before = found(&mut tx, id, if_match).await?;
    if !before.is_admin {
        return Err(Error::conflict("not_admin", "This person is no administrator."));
    }
    if store::admin_count_but(&mut tx, id).await? == 0 {
        return Err(Error::conflict("last_admin", "This is the last administrator; make somebody else one first."));
    }
    store::user_admin_set(&mut tx, id, false).await?;
    let after = finish(&mut tx, caller, "user.demoted", &before).await?;
    tx.commit().await?;
    app.auth.forget_sessions();
    Ok(after)
}

/// A link for a new password: mailed, or shown once where there is no mail. The present password works until then.
pub async fn user_reset_password(caller: &Caller, app: &App, id: UserId) -> Result<PasswordLink> {
    let mut tx = app.db.system().begin().await?;
    rights_lock(&mut tx, caller).await?;
    let user = store::user_lock(&mut tx, id).await?.ok_or(Error::NotFound("user"))?;
    if user.status != UserStatus::Active {
        return Err(Error::conflict("not_active", "Let this person in again first; the link would not work."));
    }
    let link = link_send(&mut tx, app, &user, RESET_LIFE, |name, link| Letter::ResetPassword { name, link }).await?;
    let subject = Subject::new("user", id.0, &user.name);
    let after = json!({ "mailed": link.mailed, "link_shown": link.link.is_some() });
    audit_append(&mut tx, None, caller, "user.password_link_made", &subject, None, Some(after)).await?;
    tx.commit().await?;
    task_poke(app);
    Ok(link)
}

/// Remove a lost authenticator app with its recovery codes. Passkeys stay.
pub async fn user_disable_totp(caller: &Caller, app: &App, id: UserId, if_match: IfMatch) -> Result<AdminUser> {
    let mut tx = app.db.system().begin().await?;
    rights_lock(&mut tx, caller).await?;
    let before = found(&mut tx, id, if_match).await?;
    if !before.totp_enabled {
        return Err(Error::conflict("totp_not_enabled", "This person has no authenticator app."));
    }
    let lost = totp_remove(&mut tx, id).await?;
    store::user_touch(&mut tx, id).await?;
    let after = finish(&mut tx, caller, "user.totp_disabled", &before).await?;
    tx.commit().await?;
    sessions_forget(app, &lost).await;
    Ok(after)
}

/// Delete an account for good. Organizations must not lose their owner by it.
pub async fn user_delete(caller: &Caller, app: &App, id: UserId, if_match: IfMatch, dry_run: bool) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.system().begin().await?;
    rights_lock(&mut tx, caller).await?;
    let before = found(&mut tx, id, if_match).await?;
    not_oneself(caller, id, "delete")?;
    let organizations = store::user_organizations(&mut tx, id).await?;
    let owned: Vec<&str> = organizations.iter().filter(|o| o.is_owner).map(|o| o.name.as_str()).collect();
    if !owned.is_empty() {
        let names = owned.join(", ");
        let message = format!("This person owns {names}; have each transferred or deleted first.");
        return Err(Error::conflict("owner_of_organization", message));
    }
    if dry_run {
        return Ok(());
    }
    let keys = store::user_keys_revoke(&mut tx, id, now).await?;
    let ended = sessions_revoke(&mut tx, id, now).await?;
    for organization in &organizations {
        let names: Vec<&str> =
            keys.iter().filter(|key| key.organization == organization.id.0).map(|key| key.name.as_str()).collect();
        let subject = Subject::new("member", id.0, &before.name);
        let earlier = json!({ "email": before.email, "api_keys": names });
        audit_append(&mut tx, Some(organization.id), caller, "member.removed", &subject, Some(earlier), None).await?;
        event_append(&mut tx, organization.id, "member.removed", &caller.actor, &subject, json!({})).await?;
    }
    store::user_delete(&mut tx, id).await?;
    note(&mut tx, caller, "user.deleted", &before, Some(&before), None).await?;
    tx.commit().await?;
    forget(app, &ended).await;
    for organization in organizations {
        app.auth.forget_member(id, organization.id).await;
    }
    app.bus.send(Signal::EventsAppended);
    Ok(())
}

/// One change of rights at a time, and only by who still is an administrator.
async fn rights_lock(connection: &mut PgConnection, caller: &Caller) -> Result<()> {
    store::admins_lock(connection).await?;
    let (user, _) = caller.person()?;
    if store::is_admin(connection, user).await? {
        return Ok(());
    }
    Err(Error::forbidden("admin_required", "Only the platform's administrator may do this."))
}

async fn found(connection: &mut PgConnection, id: UserId, if_match: IfMatch) -> Result<AdminUser> {
    let user = store::user_lock(connection, id).await?.ok_or(Error::NotFound("user"))?;
    if_match.check(user.version)?;
    Ok(user)
}

fn not_oneself(caller: &Caller, id: UserId, what: &str) -> Result<()> {
    let (user, _) = caller.person()?;
    if user != id {
        return Ok(());
    }
    Err(Error::conflict("own_account", format!("You cannot {what} yourself; ask another administrator.")))
}

async fn finish(connection: &mut PgConnection, caller: &Caller, action: &str, before: &AdminUser) -> Result<AdminUser> {
    let after = store::user_get(connection, before.id).await?.ok_or(Error::NotFound("user"))?;
    note(connection, caller, action, &after, Some(before), Some(&after)).await?;
    Ok(after)
}

async fn note(
    connection: &mut PgConnection, caller: &Caller, action: &str, user: &AdminUser, before: Option<&AdminUser>,
    after: Option<&AdminUser>,
) -> Result<()> {
    let value = |user: &AdminUser| serde_json::to_value(user).map_err(Error::internal);
    let before: Option<Value> = before.map(value).transpose()?;
    let after: Option<Value> = after.map(value).transpose()?;
    let subject = Subject::new("user", user.id.0, &user.name);
    audit_append(connection, None::<OrganizationId>, caller, action, &subject, before, after).await
}

async fn link_send(
    connection: &mut PgConnection, app: &App, user: &AdminUser, life: TimeDelta,
    letter: impl FnOnce(String, String) -> Letter,
) -> Result<PasswordLink> {
    let expires_at = app.clock.now() + life;
    let token = token_make();
    let hash = token_hash(token.expose());
    store::password_token_insert(connection, &hash, user.id, &user.email, expires_at).await?;
    let link = page_url(app, &format!("/reset-password#token={}", token.expose()));
    let mailed = mail_settings(connection, app).await?.is_some();
    if mailed {
        let letter = letter(user.name.clone(), link.clone());
        mail_queue(connection, app, &Mail { organization: None, to: user.email.clone(), letter }).await?;
    }
    Ok(PasswordLink { mailed, link: (!mailed).then_some(link), expires_at })
}

async fn forget(app: &App, sessions: &[SessionId]) {
    for session in sessions {
        app.auth.forget_session(*session).await;
    }
    // Keys hold as long as their maker does.
    app.auth.forget_keys();
}
