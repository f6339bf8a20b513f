//! Closing one's own account: nothing is left without an owner, and nothing that signs in remains.

use super::model::Owned;
use super::store;
use crate::app::App;
use crate::business::admin::users::store::admins_lock;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::auth::service::password_confirm;
use crate::identity::auth::store::sessions_revoke;
use crate::identity::organizations::store::{organization_delete, organization_remains};
use crate::identity::sessions::service::recent_require;
use crate::platform::bus::Signal;
use crate::platform::http::Caller;
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::UserId;
use ocore_shared::secret::Secret;
use serde_json::json;
use sqlx::PgConnection;

/// Close the caller's account. Organizations that they own alone and that are empty go with it.
pub async fn account_delete(caller: &Caller, app: &App, password: Option<&Secret>) -> Result<()> {
    let (user, _) = caller.person()?;
    let account = super::service::account_get(caller, app).await?;
    match password {
        Some(password) => password_confirm(app, caller, password).await?,
        None if account.has_password => {
            return Err(Error::field("password", "required", "Give your password, to be sure that it is you."));
        }
        None => recent_require(caller, app).await?,
    }
    let now = app.clock.now();
    let mut tx = app.db.system().begin().await?;
    // First, and in one order, so that two who leave at once do not wait for each other.
    if account.is_admin {
        admins_lock(&mut tx).await?;
    }
    if account.is_admin && store::is_last_admin(&mut tx, user).await? {
        let message = "You are the only administrator of this platform; promote somebody else first.";
        return Err(Error::conflict("last_admin", message));
    }
    store::account_lock(&mut tx, user).await?.ok_or(Error::NotFound("account"))?;
    organizations_delete(&mut tx, caller, user).await?;
    let (left, _) = store::memberships_end(&mut tx, user, now).await?;
    let subject = Subject::new("user", user.0, &account.name);
    for organization in &left {
        audit_append(&mut tx, Some(*organization), caller, "member.left", &subject, None, None).await?;
        event_append(&mut tx, *organization, "member.left", &caller.actor, &subject, json!({})).await?;
    }
    let ended = sessions_revoke(&mut tx, user, now).await?;
    store::account_close(&mut tx, user, now).await?;
    let before = json!({ "email": account.email, "name": account.name, "is_admin": account.is_admin });
    audit_append(&mut tx, None, caller, "user.deactivated", &subject, Some(before), None).await?;
    tx.commit().await?;
    for session in ended {
        app.auth.forget_session(session).await;
    }
    app.auth.forget_keys();
    app.auth.forget_holdings();
    app.auth.forget_slugs();
    app.bus.send(Signal::EventsAppended);
    Ok(())
}

/// The organizations that they own: shared ones must have another owner first, and nothing may still run.
async fn organizations_delete(connection: &mut PgConnection, caller: &Caller, user: UserId) -> Result<()> {
    let owned = store::owned_lock(connection, user).await?;
    let shared: Vec<&str> = owned.iter().filter(|owned| owned.shared).map(|owned| owned.name.as_str()).collect();
    if !shared.is_empty() {
        let message = format!(
            "You own {}, which have other members; transfer them first (POST /api/org/transfer), or delete them.",
            shared.join(", ")
        );
        return Err(Error::conflict("owns_organizations", message));
    }
    for Owned { id, name, .. } in &owned {
        if let Some(remains) = organization_remains(connection, *id).await?.told() {
            return Err(Error::conflict("organization_in_use", format!("{name} is not empty. {remains}")));
        }
        organization_delete(connection, *id).await?;
        let subject = Subject::new("organization", id.0, name);
        let before = json!({ "name": name });
        audit_append(connection, None, caller, "organization.deleted", &subject, Some(before), None).await?;
    }
    Ok(())
}
