//! Long requests: what allowed them is asked for again while they last, past the caches.

use super::access::Holding;
use super::store::{self, Holder, KeyRow};
use crate::app::App;
use crate::error::Error;
use crate::platform::http::ctx::{Access, Scope};
use crate::platform::http::{Caller, Ctx, Principal};
use futures::stream::TakeUntil;
use futures::{Stream, StreamExt};
use ocore_shared::ids::{OrganizationId, UserId};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;

/// Below the promised five seconds, for the time that asking takes.
const ASK_AGAIN: Duration = Duration::from_secs(3);

/// Whether what a long request was allowed by still holds: session or key, and the permission in each scope that gave
/// it. While the database is away nothing can be revoked, so nothing is.
pub async fn still_allowed(app: &App, ctx: &Ctx) -> bool {
    match access_now(app, &ctx.caller, ctx.organization).await {
        Ok(Some(access)) => {
            let scopes = |access: &Access| -> Vec<Scope> {
                access.grants.iter().filter(|(_, set)| set.contains(ctx.permission)).map(|(scope, _)| *scope).collect()
            };
            let now = scopes(&access);
            now.contains(&Scope::Organization) || scopes(&ctx.access).iter().all(|scope| now.contains(scope))
        }
        Ok(None) => false,
        Err(error) => {
            tracing::debug!(%error, "a permission could not be asked for again");
            true
        }
    }
}

/// Until what allowed a long request does not hold any more.
pub async fn access_lost(app: &App, ctx: &Ctx) {
    loop {
        tokio::time::sleep(ASK_AGAIN).await;
        if !still_allowed(app, ctx).await {
            return;
        }
    }
}

/// `items` as long as what allowed them holds.
pub fn while_allowed<S>(app: &App, ctx: &Ctx, items: S) -> impl Stream<Item = S::Item> + Send + use<S>
where
    S: Stream + Send,
{
    let (app_, ctx) = (app.clone(), ctx.clone());
    until(app, async move { access_lost(&app_, &ctx).await }, items)
}

/// `items` as long as the caller has the very access that they were chosen by. Whoever follows them comes again, with
/// what they may do then.
pub fn while_unchanged<S>(
    app: &App, caller: Arc<Caller>, organization: OrganizationId, access: Arc<Access>, items: S,
) -> impl Stream<Item = S::Item> + Send + use<S>
where
    S: Stream + Send,
{
    let app_ = app.clone();
    let changed = async move {
        loop {
            tokio::time::sleep(ASK_AGAIN).await;
            match access_now(&app_, &caller, organization).await {
                Ok(Some(now)) if now.is_same(&access) => {}
                Ok(_) => return,
                Err(error) => tracing::debug!(%error, "an access could not be asked for again"),
            }
        }
    };
    until(app, changed, items)
}

/// The watch is a task of its own: while nobody reads the items nobody would drive it, and who reads on after a long
/// pause must not get what came after the end.
fn until<S>(
    app: &App, over: impl Future<Output = ()> + Send + 'static, items: S,
) -> TakeUntil<S, AbortOnDropHandle<Option<()>>>
where
    S: Stream + Send,
{
    let over = app.stop.clone().run_until_cancelled_owned(over);
    items.take_until(AbortOnDropHandle::new(app.tracker.spawn(over)))
}

/// What a member may do at this moment; None for who is none.
pub async fn access_of_member(app: &App, user: UserId, organization: OrganizationId) -> Result<Option<Access>, Error> {
    let rows = store::holding_find(app.db.system(), Holder::User(user), organization).await?;
    Ok(rows.map(|rows| (*Holding::new(rows).access).clone()))
}

/// What the caller may do at this moment; None when the credential or the membership has ended.
async fn access_now(app: &App, caller: &Caller, organization: OrganizationId) -> Result<Option<Access>, Error> {
    let system = app.db.system();
    let now = app.clock.now();
    match caller.principal {
        Principal::Person { user, session, .. } => {
            let row = store::session_find(system, session).await?;
            let Some(row) = row.filter(|row| !row.ended && row.expires_at > now) else { return Ok(None) };
            let rows = store::holding_find(system, Holder::User(user), organization).await?;
            let rows = rows.filter(|rows| row.second_factor || !rows.require_second_factor);
            Ok(rows.map(|rows| (*Holding::new(rows).access).clone()))
        }
        Principal::Key { key, .. } => {
            let row = store::key_find(system, key).await?;
            let live = |row: &KeyRow| !row.revoked && row.expires_at.is_none_or(|at| at > now);
            let Some(row) = row.filter(live) else { return Ok(None) };
            let Some(holder) = row.holder else { return Ok(None) };
            let rows = store::holding_find(system, holder, organization).await?;
            Ok(rows.map(|rows| Holding::new(rows).narrowed(&row)))
        }
    }
}

/// Whether the caller is the platform's administrator at this moment. While the database is away nothing is revoked.
pub async fn admin_still(app: &App, caller: &Caller) -> bool {
    let Principal::Person { session, .. } = caller.principal else { return false };
    match store::session_find(app.db.system(), session).await {
        Ok(row) => row.is_some_and(|row| row.is_admin && !row.ended && row.expires_at > app.clock.now()),
        Err(error) => {
            tracing::debug!(%error, "an administrator could not be asked for again");
            true
        }
    }
}
