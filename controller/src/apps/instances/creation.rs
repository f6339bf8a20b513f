//! How an instance comes to be: what is asked for, whether it fits, and the job that provisions it.

use super::model;
use super::service::{PROVISION_SECONDS, accepted, env_masked, job_of, told};
use super::store::{self, NewInstance};
use crate::app::App;
use crate::apps::registries::service::registries_of;
use crate::error::{Error, Result};
use crate::fleet::servers::model::ServerStatus;
use crate::fleet::servers::service::{labels_fit, visible};
use crate::identity::audit::store::audit_append;
use crate::platform::http::{Accepted, Ctx, Place};
use crate::platform::jobs::{NewJob, store as jobs};
use crate::platform::secrets::{store as secret_store, token_make};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use garde::Validate;
use ocore_shared::ids::{EnvironmentId, InstanceId, JobId, SecretId, ServerId};
use ocore_shared::odoo::settings::OdooSettings;
use ocore_shared::protocol::odoo::{InstanceProvision, InstanceSpec, Limits, secret_names};
use ocore_shared::secret::Secret;
use serde::Deserialize;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;
use utoipa::ToSchema;

const LEAST_MEMORY_MB: u32 = 512;

/// Body of `POST /api/instances`.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceCreate {
    /// 3 to 64 characters, unique in the organization.
    #[garde(length(chars, min = 3, max = 64), custom(visible))]
    pub name: String,
    /// Lower-case letters, digits and hyphens; made from the name when left out.
    #[garde(inner(length(min = 3, max = 50), pattern("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")))]
    pub slug: Option<String>,
    #[garde(skip)]
    pub server_id: ServerId,
    /// The organization's production environment when left out.
    #[garde(skip)]
    pub environment_id: Option<EnvironmentId>,
    /// `14.0` to `19.0`; when left out what its project says, else the newest.
    #[garde(inner(custom(model::known_version)))]
    pub odoo_version: Option<String>,
    /// Another image than the controller's own for that version.
    #[garde(inner(length(min = 1, max = 255), pattern("^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$")))]
    pub image: Option<String>,
    /// Login of the first Odoo user, usually an e-mail address.
    #[garde(length(chars, min = 3, max = 128), custom(visible))]
    #[serde(alias = "admin_email")]
    pub admin_login: String,
    /// Password of the first Odoo user, at least 8 characters.
    #[garde(custom(long_enough))]
    pub admin_password: Secret,
    /// Such as `en_US` or `fr_FR`.
    #[garde(pattern("^[a-z]{2,3}(_[A-Z]{2})?(@[a-z]+)?$"))]
    #[serde(default = "english")]
    pub language: String,
    /// ISO 3166, two letters.
    #[garde(inner(pattern("^[A-Z]{2}$")))]
    pub country: Option<String>,
    #[garde(skip)]
    #[serde(default)]
    pub demo_data: bool,
    /// Technical names, e.g. `sale`, `stock`.
    #[garde(length(max = 200), inner(pattern("^[a-z0-9_]{1,64}$")))]
    #[serde(default)]
    pub modules: Vec<String>,
    #[garde(custom(sane_limits))]
    #[serde(default = "default_limits")]
    pub limits: Limits,
    /// Host port; a free one of 20000-29999 when left out.
    #[garde(inner(range(min = 1024)))]
    pub http_port: Option<u16>,
    #[garde(custom(labels_fit))]
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[garde(custom(sane_env))]
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

fn newest_version() -> String {
    "19.0".into()
}

fn english() -> String {
    "en_US".into()
}

fn default_limits() -> Limits {
    Limits { cpus: 1.0, memory_mb: 1024 }
}

/// Rule of garde for a password of Odoo.
pub fn long_enough(password: &Secret, (): &()) -> garde::Result {
    let length = password.expose().chars().count();
    if (8..=128).contains(&length) && !password.expose().chars().any(char::is_control) {
        return Ok(());
    }
    Err(garde::Error::new("must be 8 to 128 characters without control characters"))
}

pub(super) fn sane_limits(limits: &Limits, (): &()) -> garde::Result {
    if limits.cpus.is_finite() && (0.1..=256.0).contains(&limits.cpus) && limits.memory_mb >= LEAST_MEMORY_MB {
        return Ok(());
    }
    Err(garde::Error::new(format!("must be 0.1 to 256 cpus and at least {LEAST_MEMORY_MB} memory_mb")))
}

pub(super) fn sane_env(env: &BTreeMap<String, String>, (): &()) -> garde::Result {
    let name_fits = |name: &str| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && name.len() <= 100
            && !model::RESERVED_ENV.contains(&name)
    };
    let fits = |(name, value): (&String, &String)| name_fits(name) && value.len() <= 4096 && !value.contains('\0');
    if env.len() <= 64 && env.iter().all(fits) {
        return Ok(());
    }
    let reserved = model::RESERVED_ENV.join(", ");
    Err(garde::Error::new(format!("must be at most 64 variables of letters, digits and _; not {reserved}")))
}

/// Provision Odoo on a server.
pub async fn instance_create(ctx: &Ctx, app: &App, input: InstanceCreate) -> Result<Accepted> {
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let home = store::environment_hold(&mut tx, ctx.organization, input.environment_id)
        .await?
        .ok_or_else(|| Error::field("environment_id", "exists", "There is no such environment."))?;
    let (environment, project) = (home.environment, home.project);
    let place = Place { project: Some(project.0), environment: Some(environment.0), server: Some(input.server_id.0) };
    ctx.require("environment", &place)?;
    if home.is_deleting {
        return Err(Error::conflict("environment_deleting", "The environment is being deleted; choose another one."));
    }
    if home.is_archived {
        return Err(Error::conflict("project_archived", "The project has been put away; take it back first."));
    }
    let odoo_version = input.odoo_version.clone().or(home.odoo_version).unwrap_or_else(newest_version);
    let room = store::server_room(&mut tx, ctx.organization, input.server_id)
        .await?
        .ok_or_else(|| Error::field("server_id", "exists", "There is no such server."))?;
    check_room(&room, &input)?;

    let id = InstanceId::new();
    let slug = input.slug.clone().unwrap_or_else(|| model::slug_of(&input.name));
    let name = model::database_name_of(&slug);
    let image = input.image.clone().unwrap_or_else(|| app.config.odoo_image.replace("{version}", &odoo_version));
    let spec = InstanceSpec {
        instance_id: id,
        organization_id: ctx.organization,
        environment_id: environment,
        slug,
        odoo_version,
        image,
        built_image: None,
        addons: vec![],
        postgres_image: app.config.postgres_image.clone(),
        database_name: name.clone(),
        database_role: name,
        admin_login: input.admin_login,
        language: input.language,
        country: input.country,
        demo_data: input.demo_data,
        modules: input.modules,
        limits: input.limits,
        settings: OdooSettings::default(),
        database_settings: BTreeMap::new(),
        has_proxy: false,
        public_host: None,
        env: input.env,
        bind_address: "0.0.0.0".into(),
        http_port: input.http_port,
        generation: 1,
    };
    let subject = Subject::new("instance", id, &input.name);
    let mut secrets = BTreeMap::new();
    for (name, value) in [
        (secret_names::DATABASE_PASSWORD, token_make()),
        (secret_names::CLUSTER_PASSWORD, token_make()),
        (secret_names::MASTER_PASSWORD, token_make()),
        (secret_names::ADMIN_PASSWORD, input.admin_password),
    ] {
        let secret = secret_store::secret_add(&mut tx, ctx.organization, &app.keyring, name, &value).await?;
        secrets.insert(name.to_owned(), secret);
    }
    let job = JobId::new();
    let new = NewInstance {
        project,
        server: input.server_id,
        name: &input.name,
        labels: &input.labels,
        spec: &spec,
        secrets: &secrets,
        job,
    };
    store::instance_insert(&mut tx, ctx.organization, &new).await?;
    let new_job = provision_job(ctx, &mut tx, job, input.server_id, &subject, spec.clone(), secrets).await?;
    let enqueued = jobs::job_enqueue(&mut tx, app.replica, &new_job).await?;
    let mut after = json!({"name": input.name, "server_id": input.server_id, "spec": spec});
    after["spec"]["env"] = env_masked(&spec.env, &spec.env);
    let (organization, caller) = (ctx.organization, &ctx.caller);
    audit_append(&mut tx, Some(organization), caller, "instance.created", &subject, None, Some(after)).await?;
    event_append(&mut tx, organization, "instance.requested", ctx.actor(), &subject, json!({"job_id": job})).await?;
    tx.commit().await?;
    drop(connection);
    told(ctx, app, id, enqueued);
    Ok(accepted(id, "pending", "The instance is being provisioned.", job))
}

/// The job that provisions an instance, with the registries that its images may come from.
pub(super) async fn provision_job(
    ctx: &Ctx, connection: &mut PgConnection, id: JobId, server: ServerId, subject: &Subject, spec: InstanceSpec,
    mut secrets: BTreeMap<String, SecretId>,
) -> Result<NewJob> {
    let images = [spec.image.as_str(), spec.postgres_image.as_str()];
    let (registries, passwords) = registries_of(connection, ctx.organization, &images).await?;
    // Of sources of addons, which a new instance has none of.
    secrets.retain(|name, _| !name.starts_with("git."));
    secrets.extend(passwords);
    let instance = spec.instance_id;
    let input = json!(InstanceProvision { spec, registries });
    Ok(NewJob {
        secrets,
        timeout_seconds: Some(PROVISION_SECONDS),
        ..job_of(ctx, id, "instance_provision", server, instance, subject, input)
    })
}

fn check_room(room: &store::ServerRoom, input: &InstanceCreate) -> Result<()> {
    match room.status {
        ServerStatus::Online => {}
        ServerStatus::Degraded => {
            return Err(Error::conflict("server_degraded", "Docker does not answer on this server; mend it first."));
        }
        _ => {
            return Err(Error::conflict(
                "server_not_online",
                "The server is not online; bring it online or choose another one.",
            ));
        }
    }
    if !room.schedulable {
        return Err(Error::conflict("server_unschedulable", "The server takes no new instances; choose another one."));
    }
    let Some(facts) = &room.facts else { return Ok(()) };
    let total = facts.memory_total_bytes / (1024 * 1024);
    if u64::from(input.limits.memory_mb) > total {
        let message = format!("The server has {total} MB of memory; ask for less or choose another server.");
        return Err(Error::field("limits.memory_mb", "max", message));
    }
    if input.limits.cpus > f64::from(facts.cpu_cores) {
        let message = format!("The server has {} cores; ask for less or choose another server.", facts.cpu_cores);
        return Err(Error::field("limits.cpus", "max", message));
    }
    Ok(())
}
