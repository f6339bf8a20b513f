//! What is written down when a known person's sign-in fails.

use super::model::LoginNote;
use super::service::person;
use super::store;
use crate::app::App;
use crate::error::Result;
use crate::identity::audit::store::audit_append;
use crate::identity::authentication::Client;
use crate::signals::events::Subject;
use ocore_shared::ids::{SessionId, UserId};
use serde_json::json;
use uuid::Uuid;

/// Write it into audit and history, in a transaction of its own. `method` as in the history: `password+totp`.
pub async fn sign_in_refused(
    app: &App, client: &Client, (user, name): (UserId, &str), method: &str, reason: &str,
) -> Result<()> {
    let mut tx = app.db.system().begin().await?;
    let note = LoginNote { user, method, refused: Some(reason), client };
    store::login_history_add(&mut tx, &note, app.clock.now()).await?;
    let caller = person(client, user, SessionId(Uuid::nil()), false, name);
    let subject = Subject::new("user", user.0, name);
    let after = json!({ "method": method, "reason": reason });
    audit_append(&mut tx, None, &caller, "auth.login_failed", &subject, None, Some(after)).await?;
    tx.commit().await?;
    Ok(())
}
