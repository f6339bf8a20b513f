//! The rules of one's own account.

use super::model::{Account, AccountChange};
use super::store;
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::http::{Caller, IfMatch};
use crate::signals::events::Subject;
use serde_json::{Value, json};

pub use super::closing::account_delete;

pub async fn account_get(caller: &Caller, app: &App) -> Result<Account> {
    let (user, _) = caller.person()?;
    store::account_get(app.db.system(), user).await?.ok_or(Error::NotFound("account"))
}

/// Change one's name, language, time zone or default organization.
pub async fn account_update(
    caller: &Caller, app: &App, if_match: IfMatch, change: impl FnOnce(&Account) -> Result<AccountChange>,
) -> Result<Account> {
    let (user, session) = caller.person()?;
    let before = account_get(caller, app).await?;
    let change = change(&before)?;
    let mut tx = app.db.system().begin().await?;
    let version = store::account_lock(&mut tx, user).await?.ok_or(Error::NotFound("account"))?;
    if_match.check(version)?;
    if let Some(Some(zone)) = &change.timezone
        && !store::timezone_exists(&mut tx, zone).await?
    {
        let message = format!("There is no time zone '{zone}'; they are named like Europe/Vienna.");
        return Err(Error::field("timezone", "exists", message));
    }
    if let Some(Some(organization)) = change.default_organization_id
        && !store::is_member(&mut tx, user, organization).await?
    {
        let message = "You are in no such organization; GET /api/orgs lists yours.";
        return Err(Error::field("default_organization_id", "exists", message));
    }
    store::account_update(&mut tx, user, &change).await?;
    let subject = Subject::new("user", user.0, change.name.as_ref().unwrap_or(&before.name));
    let mut later = shown(&before);
    let AccountChange { name, locale, timezone, default_organization_id } = &change;
    let fields = [
        ("name", name.as_ref().map(|name| json!(name))),
        ("locale", locale.as_ref().map(|locale| json!(locale))),
        ("timezone", timezone.as_ref().map(|zone| json!(zone))),
        ("default_organization_id", default_organization_id.map(|id| json!(id))),
    ];
    for (field, value) in fields {
        if let Some(value) = value {
            later[field] = value;
        }
    }
    audit_append(&mut tx, None, caller, "user.updated", &subject, Some(shown(&before)), Some(later)).await?;
    tx.commit().await?;
    // The session is cached with the name of its person.
    app.auth.forget_session(session).await;
    account_get(caller, app).await
}

fn shown(account: &Account) -> Value {
    json!({
        "name": account.name, "locale": account.locale, "timezone": account.timezone,
        "default_organization_id": account.default_organization_id,
    })
}
