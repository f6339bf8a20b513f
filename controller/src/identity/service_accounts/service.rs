//! The rules of service accounts: nobody makes, changes or removes one that may more than they.

use super::model::{ServiceAccount, ServiceAccountInput};
use super::store::{self, AccountFilter};
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::roles::grants::grants_set;
use crate::identity::roles::model::{GrantHolder, WantedGrant};
use crate::platform::bus::Signal;
use crate::platform::http::{Ctx, IfMatch, List, Page};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::ServiceAccountId;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use std::collections::HashSet;

pub async fn service_account_list(
    ctx: &Ctx, app: &App, name: Option<&str>, page: &Page,
) -> Result<List<ServiceAccount>> {
    ctx.require_everywhere()?;
    let filter = AccountFilter { id: None, name };
    let now = app.clock.now();
    let list = store::service_account_list(app.db.system(), ctx.organization, &filter, page, now).await?;
    Ok(List::new(list, page, |account| account.id.0))
}

pub async fn service_account_get(ctx: &Ctx, app: &App, id: ServiceAccountId) -> Result<ServiceAccount> {
    ctx.require_everywhere()?;
    found(ctx, app, id).await
}

async fn found(ctx: &Ctx, app: &App, id: ServiceAccountId) -> Result<ServiceAccount> {
    let filter = AccountFilter { id: Some(id), name: None };
    let (page, now) = (Page::default(), app.clock.now());
    let mut list = store::service_account_list(app.db.system(), ctx.organization, &filter, &page, now).await?;
    list.pop().ok_or(Error::NotFound("service account"))
}

pub async fn service_account_create(ctx: &Ctx, app: &App, new: ServiceAccountInput) -> Result<ServiceAccount> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let id = store::service_account_insert(&mut tx, ctx.organization, &new, ctx.actor()).await?;
    let holder = GrantHolder::ServiceAccount(id);
    grants_set(ctx, &mut tx, holder, &HashSet::new(), &new.grants, "grants").await?;
    tell(ctx, &mut tx, "service_account.created", id, &new.name, None, Some(shown(&new))).await?;
    tx.commit().await?;
    drop(connection);
    app.bus.send(Signal::EventsAppended);
    found(ctx, app, id).await
}

pub async fn service_account_update(
    ctx: &Ctx, app: &App, id: ServiceAccountId, if_match: IfMatch,
    change: impl FnOnce(&ServiceAccount) -> Result<ServiceAccountInput>,
) -> Result<ServiceAccount> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let before = locked(ctx, app, &mut tx, id, if_match).await?;
    let to = change(&before)?;
    let present = before.grants.iter().map(WantedGrant::from).collect();
    grants_set(ctx, &mut tx, GrantHolder::ServiceAccount(id), &present, &to.grants, "grants").await?;
    store::service_account_update(&mut tx, ctx.organization, id, &to).await?;
    let earlier = serde_json::to_value(&before).map_err(Error::internal)?;
    tell(ctx, &mut tx, "service_account.updated", id, &to.name, Some(earlier), Some(shown(&to))).await?;
    tx.commit().await?;
    drop(connection);
    app.auth.forget_holdings();
    app.bus.send(Signal::EventsAppended);
    found(ctx, app, id).await
}

/// Remove an account with its keys.
pub async fn service_account_delete(
    ctx: &Ctx, app: &App, id: ServiceAccountId, if_match: IfMatch, dry_run: bool,
) -> Result<()> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let before = locked(ctx, app, &mut tx, id, if_match).await?;
    // Taking all roles first asks whether the caller holds them.
    let present = before.grants.iter().map(WantedGrant::from).collect();
    grants_set(ctx, &mut tx, GrantHolder::ServiceAccount(id), &present, &[], "grants").await?;
    if dry_run {
        return Ok(());
    }
    store::service_account_delete(&mut tx, ctx.organization, id).await?;
    let earlier = serde_json::to_value(&before).map_err(Error::internal)?;
    tell(ctx, &mut tx, "service_account.deleted", id, &before.name, Some(earlier), None).await?;
    tx.commit().await?;
    app.auth.forget_keys();
    app.auth.forget_holdings();
    app.bus.send(Signal::EventsAppended);
    Ok(())
}

async fn locked(
    ctx: &Ctx, app: &App, connection: &mut PgConnection, id: ServiceAccountId, if_match: IfMatch,
) -> Result<ServiceAccount> {
    let version = store::service_account_lock(connection, ctx.organization, id).await?;
    if_match.check(version.ok_or(Error::NotFound("service account"))?)?;
    found(ctx, app, id).await
}

fn shown(input: &ServiceAccountInput) -> Value {
    let grants: Vec<Value> = input.grants.iter().map(|g| json!({ "role_id": g.role, "scope": g.scope })).collect();
    json!({ "name": input.name, "description": input.description, "grants": grants })
}

async fn tell(
    ctx: &Ctx, connection: &mut PgConnection, action: &str, id: ServiceAccountId, name: &str, before: Option<Value>,
    after: Option<Value>,
) -> Result<()> {
    let subject = Subject::new("service_account", id.0, name);
    audit_append(connection, Some(ctx.organization), &ctx.caller, action, &subject, before, after).await?;
    event_append(connection, ctx.organization, action, ctx.actor(), &subject, json!({})).await
}
