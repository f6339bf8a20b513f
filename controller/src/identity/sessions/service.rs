//! The rules of one's own sessions.

use super::model::{Login, Session, device_of};
use super::store;
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::http::{Caller, List, Page};
use crate::signals::events::Subject;
use chrono::TimeDelta;
use ocore_shared::ids::SessionId;

/// So long after signing in nobody is asked who they are once more.
const RECENT: TimeDelta = TimeDelta::minutes(15);

pub async fn session_list(caller: &Caller, app: &App, page: &Page) -> Result<List<Session>> {
    let (user, current) = caller.person()?;
    let list = store::session_list(app.db.system(), user, current, page, app.clock.now()).await?;
    Ok(List::new(list, page, |session| session.id.0))
}

/// End one of one's own sessions: its tokens work nowhere within five seconds.
pub async fn session_revoke(caller: &Caller, app: &App, id: SessionId) -> Result<()> {
    let (user, _) = caller.person()?;
    let mut tx = app.db.system().begin().await?;
    let agent = store::session_end(&mut tx, user, id, app.clock.now()).await?.ok_or(Error::NotFound("session"))?;
    let subject = Subject::new("session", id.0, device_of(&agent));
    audit_append(&mut tx, None, caller, "session.revoked", &subject, None, None).await?;
    tx.commit().await?;
    app.auth.forget_session(id).await;
    Ok(())
}

pub async fn login_list(caller: &Caller, app: &App, page: &Page) -> Result<List<Login>> {
    let (user, _) = caller.person()?;
    let list = store::login_list(app.db.system(), user, page, app.clock.now()).await?;
    Ok(List::new(list, page, |login| login.id.0))
}

/// Where there is no password to ask for: the person must have signed in a moment ago.
pub async fn recent_require(caller: &Caller, app: &App) -> Result<()> {
    let (_, session) = caller.person()?;
    let began = store::session_began(app.db.system(), session).await?;
    if began.is_some_and(|at| at + RECENT > app.clock.now()) {
        return Ok(());
    }
    Err(Error::forbidden(
        "sign_in_again",
        "To be sure that it is you: sign in again, then repeat this within 15 minutes.",
    ))
}
