//! Rules of servers.

use super::model::{InstallCommand, Inventory, Server, ServerCreated, ServerStatus};
use super::store::{self, ServerFilter};
use crate::app::App;
use crate::error::{Error, Result};
use crate::fleet::{enrollment, metrics};
use crate::identity::audit::store::audit_append;
use crate::identity::organizations::service::organization_for_host;
use crate::platform::bus::{Kind, Signal};
use crate::platform::http::{Accepted, Actor, Caller, Ctx, IfMatch, List, Page, Patch, PatchFields, Place};
use crate::platform::jobs::{NewJob, dispatch, store as jobs};
use crate::signals::events::store::event_append;
use crate::signals::events::{Event, Subject, store as events};
use garde::Validate;
use ocore_shared::ids::{JobId, ServerId};
use ocore_shared::secret::Secret;
use serde::Deserialize;
use serde_json::json;
use sqlx::Connection;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Where a server is, for scopes.
fn place(id: ServerId) -> Place {
    Place { server: Some(id.0), ..Place::default() }
}

/// Servers that the caller may see.
pub async fn server_list(ctx: &Ctx, app: &App, mut filter: ServerFilter, page: &Page) -> Result<List<Server>> {
    filter.before = page.before()?;
    filter.limit = page.fetch();
    let mut connection = app.db.org(ctx.organization).await?;
    let mut servers = store::server_list(&mut connection, ctx.organization, &ctx.reach(), &filter).await?;
    metrics::service::usage_fill(&mut connection, ctx.organization, &mut servers).await?;
    Ok(List::new(servers, page, |server| server.id.0))
}

/// One server, if it is in reach.
pub async fn server_get(ctx: &Ctx, app: &App, id: ServerId) -> Result<Server> {
    ctx.require("server", &place(id))?;
    let filter = ServerFilter { id: Some(id.0), limit: 1, ..ServerFilter::default() };
    let mut connection = app.db.org(ctx.organization).await?;
    let mut found = store::server_list(&mut connection, ctx.organization, &ctx.reach(), &filter).await?;
    metrics::service::usage_fill(&mut connection, ctx.organization, &mut found).await?;
    found.pop().ok_or(Error::NotFound("server"))
}

/// Body of `POST /api/servers`.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerCreate {
    /// 3 to 64 characters, unique in the organization.
    #[garde(length(chars, min = 3, max = 64), custom(visible))]
    pub name: String,
    #[garde(length(chars, max = 500))]
    #[serde(default)]
    pub description: String,
    #[garde(custom(labels_fit))]
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Names go into messages and container labels: no control characters.
pub fn visible(text: &str, (): &()) -> garde::Result {
    let trimmed = text.trim() == text;
    if trimmed && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(garde::Error::new("must be without control characters and without space at its ends"))
}

/// At most 32 labels of ordinary characters.
pub fn labels_fit(labels: &BTreeMap<String, String>, (): &()) -> garde::Result {
    let key_fits = |key: &str| {
        (1..=63).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b))
    };
    let fits = |(key, value): (&String, &String)| {
        key_fits(key) && value.chars().count() <= 255 && !value.chars().any(char::is_control)
    };
    if labels.len() <= 32 && labels.iter().all(fits) {
        return Ok(());
    }
    Err(garde::Error::new("must be at most 32 labels; keys of letters, digits, -_./ up to 63, values up to 255"))
}

/// Register a server: it is made at once and waits for the agent that the command installs.
pub async fn server_create(ctx: &Ctx, app: &App, input: ServerCreate) -> Result<ServerCreated> {
    ctx.require_everywhere()?;
    let id = ServerId::new();
    let subject = Subject::new("server", id, &input.name);
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    store::server_insert(&mut tx, ctx.organization, id, &input.name, &input.description, &input.labels).await?;
    let (install, _) = enrollment::service::install_command_make(app, &mut tx, ctx.organization, id).await?;
    let after = json!({"name": input.name, "labels": input.labels});
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, "server.created", &subject, None, Some(after)).await?;
    event_append(&mut tx, ctx.organization, "server.created", ctx.actor(), &subject, json!({})).await?;
    tx.commit().await?;
    drop(connection);
    app.bus.send(Signal::EventsAppended);
    app.bus.changed(ctx.organization, Kind::Server, id);
    Ok(ServerCreated { server: server_get(ctx, app, id).await?, install })
}

/// A new install command; older tokens of this server end.
pub async fn server_install_command(ctx: &Ctx, app: &App, id: ServerId) -> Result<InstallCommand> {
    let server = server_get(ctx, app, id).await?;
    if server.status == ServerStatus::Removing {
        return Err(Error::conflict("removing", "This server is being removed; add it again under a new name."));
    }
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let (install, _) = enrollment::service::install_command_make(app, &mut tx, ctx.organization, id).await?;
    let subject = Subject::new("server", id, server.name);
    let action = "server.install_command_made";
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, action, &subject, None, None).await?;
    tx.commit().await?;
    Ok(install)
}

/// Body of `PATCH /api/servers/{id}`.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerPatch {
    #[garde(inner(length(chars, min = 3, max = 64), custom(visible)))]
    pub name: Option<String>,
    #[garde(inner(length(chars, max = 500)))]
    pub description: Option<String>,
    #[garde(inner(custom(labels_fit)))]
    pub labels: Option<BTreeMap<String, String>>,
    #[garde(skip)]
    pub schedulable: Option<bool>,
}

impl PatchFields for ServerPatch {
    const FIELDS: &'static [&'static str] = &["name", "description", "labels", "schedulable"];
}

/// Change name, description, labels or schedulability.
pub async fn server_update(
    ctx: &Ctx, app: &App, id: ServerId, patch: Patch<ServerPatch>, if_match: IfMatch,
) -> Result<Server> {
    let present = server_get(ctx, app, id).await?;
    if_match.check(present.version)?;
    let changes = patch.read(&present)?;
    let mut wanted = present.clone();
    wanted.name = changes.name.unwrap_or(wanted.name);
    wanted.description = changes.description.unwrap_or(wanted.description);
    wanted.labels = changes.labels.unwrap_or(wanted.labels);
    wanted.schedulable = changes.schedulable.unwrap_or(wanted.schedulable);
    let state = |s: &Server| json!({"name": s.name, "description": s.description, "labels": s.labels, "schedulable": s.schedulable});
    let (before, after) = (state(&present), state(&wanted));
    if before == after {
        return Ok(present);
    }
    let subject = Subject::new("server", id, &wanted.name);
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    store::server_update(&mut tx, ctx.organization, &wanted).await?;
    let (organization, caller) = (ctx.organization, &ctx.caller);
    audit_append(&mut tx, Some(organization), caller, "server.updated", &subject, Some(before), Some(after)).await?;
    event_append(&mut tx, organization, "server.updated", ctx.actor(), &subject, json!({})).await?;
    tx.commit().await?;
    drop(connection);
    app.bus.send(Signal::EventsAppended);
    app.bus.changed(organization, Kind::Server, id);
    server_get(ctx, app, id).await
}

/// Remove a server: the agent uninstalls itself, its certificate is revoked. An agent that is away is only forgotten.
pub async fn server_remove(ctx: &Ctx, app: &App, id: ServerId, force: bool) -> Result<Accepted> {
    let server = server_get(ctx, app, id).await?;
    let mut connection = app.db.org(ctx.organization).await?;
    let instances = store::server_count_instances(&mut connection, ctx.organization, id).await?;
    if instances > 0 && !force {
        return Err(Error::conflict(
            "instances_remain",
            format!(
                "{instances} instance(s) are on this server; delete them first, or add ?force=true to forget them \
                 (their containers and volumes stay on the machine)."
            ),
        ));
    }
    let subject = Subject::new("server", id, &server.name);
    let mut tx = connection.begin().await?;
    store::server_mark_removing(&mut tx, ctx.organization, id).await?;
    let job = NewJob {
        id: JobId::new(),
        kind: "agent_uninstall",
        organization: ctx.organization,
        server: id,
        instance: None,
        subject: subject.clone(),
        input: json!({}),
        secrets: BTreeMap::new(),
        timeout_seconds: Some(120),
        deadline_seconds: Some(10),
        created_by: ctx.actor().clone(),
        idempotency_claim: ctx.caller.idempotency_claim,
        queue: false,
    };
    let enqueued = jobs::job_enqueue(&mut tx, app.replica, &job).await?;
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, "server.deleted", &subject, None, None).await?;
    event_append(&mut tx, ctx.organization, "server.removing", ctx.actor(), &subject, json!({})).await?;
    tx.commit().await?;
    drop(connection);
    dispatch::job_dispatch_soon(app, enqueued);
    app.bus.send(Signal::EventsAppended);
    app.bus.changed(ctx.organization, Kind::Server, id);
    Ok(Accepted {
        id: id.0,
        status: "removing".into(),
        message: "The agent uninstalls itself; containers and volumes stay on the machine.".into(),
        job_id: job.id,
        location: format!("/api/servers/{id}"),
    })
}

/// Prove the way to a server's agent and back, durable on both sides, with a job that changes nothing.
pub async fn server_check(ctx: &Ctx, app: &App, id: ServerId) -> Result<Accepted> {
    let server = server_get(ctx, app, id).await?;
    let job = NewJob {
        id: JobId::new(),
        kind: "noop",
        organization: ctx.organization,
        server: id,
        instance: None,
        subject: Subject::new("server", id, server.name),
        input: json!({}),
        secrets: BTreeMap::new(),
        timeout_seconds: Some(60),
        deadline_seconds: Some(60),
        created_by: ctx.actor().clone(),
        idempotency_claim: ctx.caller.idempotency_claim,
        queue: false,
    };
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let enqueued = jobs::job_enqueue(&mut tx, app.replica, &job).await?;
    audit_append(&mut tx, Some(ctx.organization), &ctx.caller, "server.checked", &job.subject, None, None).await?;
    tx.commit().await?;
    drop(connection);
    dispatch::job_dispatch_soon(app, enqueued);
    Ok(Accepted {
        id: id.0,
        status: serde_json::to_value(server.status)
            .ok()
            .and_then(|s| s.as_str().map(str::to_owned))
            .unwrap_or_default(),
        message: "The check is on its way.".into(),
        job_id: job.id,
        location: format!("/api/servers/{id}"),
    })
}

/// Facts and containers as last reported.
pub async fn server_inventory(ctx: &Ctx, app: &App, id: ServerId) -> Result<Inventory> {
    let server = server_get(ctx, app, id).await?;
    let mut connection = app.db.org(ctx.organization).await?;
    let containers = store::container_list(&mut connection, ctx.organization, id).await?;
    Ok(Inventory { system: server.facts, containers })
}

/// What happened to a server, newest first.
pub async fn server_events(ctx: &Ctx, app: &App, id: ServerId, page: &Page) -> Result<List<Event>> {
    server_get(ctx, app, id).await?;
    let mut connection = app.db.org(ctx.organization).await?;
    let (before, limit) = (page.before()?, page.fetch());
    let found = events::event_list_of_subject(&mut connection, ctx.organization, id.0, before, limit).await?;
    Ok(List::new(found, page, |event| event.id.0))
}

/// What the host's own commands need to enrol an agent.
pub struct HostInstall {
    pub command: String,
    pub addresses: Vec<String>,
    pub pin: String,
    pub token: Secret,
}

/// Register a server from the controller's host: made when there is none of that name, with a new token in any case.
pub async fn server_create_by_host(app: &App, organization: Option<&str>, name: &str) -> Result<HostInstall> {
    if !(3..=64).contains(&name.chars().count()) {
        return Err(Error::field(
            "name",
            "length",
            format!("'{name}' is no server's name: it has 3 to 64 characters."),
        ));
    }
    let organization = organization_for_host(app, organization).await?;
    let caller = Caller::host();
    let mut tx = app.db.system().begin().await?;
    let id = match store::server_find_by_name(&mut tx, organization, name).await? {
        Some(id) => id,
        None => {
            let id = ServerId::new();
            store::server_insert(&mut tx, organization, id, name, "", &BTreeMap::new()).await?;
            let subject = Subject::new("server", id, name);
            let after = json!({ "name": name });
            audit_append(&mut tx, Some(organization), &caller, "server.created", &subject, None, Some(after)).await?;
            event_append(&mut tx, organization, "server.created", &Actor::system(), &subject, json!({})).await?;
            id
        }
    };
    let (install, token) = enrollment::service::install_command_make(app, &mut tx, organization, id).await?;
    let action = "server.install_command_made";
    audit_append(&mut tx, Some(organization), &caller, action, &Subject::new("server", id, name), None, None).await?;
    tx.commit().await?;
    Ok(HostInstall { command: install.command, addresses: install.addresses, pin: install.pin, token })
}
