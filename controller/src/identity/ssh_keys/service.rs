//! The rules of SSH keys: strong ones, each once, and one of them the default.

use super::model::{MOST, NAME_LONGEST, SshKey, SshKeyChange, key_read};
use super::store;
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::http::names::name_check;
use crate::platform::http::{Caller, IfMatch, List, Page};
use crate::signals::events::Subject;
use ocore_shared::ids::SshKeyId;
use serde_json::Value;
use sqlx::PgConnection;

pub async fn ssh_key_list(caller: &Caller, app: &App, name: Option<&str>, page: &Page) -> Result<List<SshKey>> {
    let (user, _) = caller.person()?;
    let list = store::ssh_key_list(app.db.system(), user, name, page).await?;
    Ok(List::new(list, page, |key| key.id.0))
}

/// Add a key. Without a name it has the one of its comment; the first is the default.
pub async fn ssh_key_add(
    caller: &Caller, app: &App, name: Option<String>, public_key: &str, is_default: bool,
) -> Result<SshKey> {
    let (user, _) = caller.person()?;
    let key = key_read(public_key)?;
    let name = match name {
        Some(name) => name,
        None => {
            let comment: String = key.comment.chars().take(NAME_LONGEST).collect();
            if comment.is_empty() || name_check(&comment, &()).is_err() { key.fingerprint.clone() } else { comment }
        }
    };
    let mut tx = app.db.system().begin().await?;
    let count = store::ssh_keys_lock(&mut tx, user).await?;
    if count >= MOST {
        let message = format!("You have {MOST} keys, which is the most; remove one that you do not use.");
        return Err(Error::conflict("too_many_keys", message));
    }
    let is_default = is_default || count == 0;
    if is_default {
        store::default_clear(&mut tx, user).await?;
    }
    let made = store::ssh_key_insert(&mut tx, user, &name, &key, is_default).await?;
    tell(&mut tx, caller, "ssh_key.added", None, Some(&made)).await?;
    tx.commit().await?;
    Ok(made)
}

/// Rename a key, or make it the default.
pub async fn ssh_key_update(
    caller: &Caller, app: &App, id: SshKeyId, if_match: IfMatch, change: impl FnOnce(&SshKey) -> Result<SshKeyChange>,
) -> Result<SshKey> {
    let (user, _) = caller.person()?;
    let mut tx = app.db.system().begin().await?;
    store::ssh_keys_lock(&mut tx, user).await?;
    let before = store::ssh_key_get(&mut tx, user, id).await?.ok_or(Error::NotFound("SSH key"))?;
    if_match.check(before.version)?;
    let change = change(&before)?;
    if before.is_default && !change.is_default {
        let message = "Make another key the default; there is always one.";
        return Err(Error::field("is_default", "default", message));
    }
    if change.is_default && !before.is_default {
        store::default_clear(&mut tx, user).await?;
    }
    let after = store::ssh_key_update(&mut tx, user, id, &change).await?;
    tell(&mut tx, caller, "ssh_key.updated", Some(&before), Some(&after)).await?;
    tx.commit().await?;
    Ok(after)
}

/// Remove a key; if it was the default, the newest of the others is.
pub async fn ssh_key_remove(caller: &Caller, app: &App, id: SshKeyId, if_match: IfMatch) -> Result<()> {
    let (user, _) = caller.person()?;
    let mut tx = app.db.system().begin().await?;
    store::ssh_keys_lock(&mut tx, user).await?;
    let before = store::ssh_key_get(&mut tx, user, id).await?.ok_or(Error::NotFound("SSH key"))?;
    if_match.check(before.version)?;
    store::ssh_key_delete(&mut tx, user, id).await?;
    if before.is_default {
        store::default_pass_on(&mut tx, user).await?;
    }
    tell(&mut tx, caller, "ssh_key.removed", Some(&before), None).await?;
    tx.commit().await?;
    Ok(())
}

async fn tell(
    connection: &mut PgConnection, caller: &Caller, action: &str, before: Option<&SshKey>, after: Option<&SshKey>,
) -> Result<()> {
    let value = |key: &SshKey| serde_json::to_value(key).map_err(Error::internal);
    let earlier: Option<Value> = before.map(value).transpose()?;
    let later: Option<Value> = after.map(value).transpose()?;
    let Some(key) = after.or(before) else { return Ok(()) };
    let subject = Subject::new("ssh_key", key.id.0, &key.name);
    audit_append(connection, None, caller, action, &subject, earlier, later).await
}
