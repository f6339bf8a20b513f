//! `instance_provision`: from nothing to a sign-in page. When a step fails or the job is cancelled, everything that the
//! job made is taken back; images stay, since other instances use them.

use super::databases::settings_keep;
use super::record::{self, Record, Stage};
use super::{admin, containers, control, health, initialise, network, preflight, result, volumes};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::image::Image;
use crate::host::docker::{failed, labels, words};
use crate::ops::postgres::{self, Database};
use ocore_shared::odoo::conf::{self, Passwords};
use ocore_shared::protocol::odoo::{InstanceProvision, InstanceRunning, InstanceSpec, secret_names};
use ocore_shared::protocol::registries::RegistryLogin;
use ocore_shared::secret::Secret;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

const STEPS: &[(&str, &str)] = &[
    ("check", "Check the server"),
    ("pull_image", "Fetch Odoo"),
    ("pull_postgres_image", "Fetch PostgreSQL"),
    ("network", "Make the network"),
    ("postgres", "Start PostgreSQL"),
    ("database", "Make the database"),
    ("config", "Write the configuration"),
    ("initialise", "Set up Odoo's database"),
    ("admin", "Set the administrator"),
    ("start", "Start Odoo"),
    ("health", "Wait until Odoo answers"),
];

pub async fn run(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let InstanceProvision { spec, registries } = ctx.input()?;
    let spec = InstanceSpec {
        image: crate::host::docker::image::with_tag(&spec.image),
        postgres_image: crate::host::docker::image::with_tag(&spec.postgres_image),
        ..spec
    };
    ctx.plan(STEPS).await?;
    let provision = Provision { host: &host, ctx: &ctx, spec: &spec, registries: &registries };
    result(ctx.attempt(provision.forward(), provision.back()).await?)
}

struct Provision<'a> {
    host: &'a Host,
    ctx: &'a JobContext,
    spec: &'a InstanceSpec,
    registries: &'a [RegistryLogin],
}

impl Provision<'_> {
    async fn forward(&self) -> Result<InstanceRunning, OpError> {
        let Self { host, ctx, spec, .. } = self;
        ctx.step("check", async { preflight::check(host, ctx, spec).await.map(drop) }).await?;
        let odoo: Image = ctx.step("pull_image", self.pull(&spec.image)).await?;
        let database: Image = ctx.step("pull_postgres_image", self.pull(&spec.postgres_image)).await?;
        ctx.step("network", async {
            let naming = host.naming.lock().await;
            network::ensure(host, &naming, spec, ctx.id()).await
        })
        .await?;
        ctx.step("postgres", self.postgres()).await?;
        ctx.step("database", self.database()).await?;
        ctx.step("config", self.config(&odoo, &database)).await?;
        let password = ctx.secret(secret_names::DATABASE_PASSWORD)?;
        ctx.step("initialise", initialise::run(host, ctx, spec, &password)).await?;
        ctx.step("admin", async {
            initialise::tidy(host, spec).await?;
            self.admin().await
        })
        .await?;
        let started = Instant::now();
        ctx.step("start", self.start()).await?;
        let record = self.record()?;
        ctx.step("health", async {
            health::wait(host, ctx, &record).await?;
            let milliseconds = started.elapsed().as_millis() as u64;
            host.records.write(&Record { stage: Stage::Ready, running: true, ..record.clone() })?;
            ctx.message(format!("Odoo answers on {}.", admin::url(&spec.bind_address, record.http_port)));
            running(host, &record, milliseconds).await
        })
        .await
    }

    fn record(&self) -> Result<Record, OpError> {
        self.host.records.find(self.spec.instance_id).ok_or_else(|| {
            OpError::new("instance_not_found", "The agent's note of this instance was removed by someone.")
        })
    }

    async fn pull(&self, reference: &str) -> Result<Image, OpError> {
        let progress = |done, total| self.ctx.progress(done, total, "bytes");
        let fetch = async {
            let logins = super::logins(self.ctx, self.registries).await?;
            self.host.docker.image_ensure(reference, &logins, progress).await
        };
        let image = super::unless_cancelled(self.ctx, fetch).await?;
        self.ctx.message(match image.was_present {
            true => format!("{} was here already.", image.reference),
            false => format!("{} was fetched.", image.reference),
        });
        Ok(image)
    }

    async fn postgres(&self) -> Result<(), OpError> {
        let Self { host, ctx, spec, .. } = self;
        let records = &host.records;
        containers::volume_ensure(&host.docker, spec, ctx.id(), "postgres", "postgres").await?;
        let owner = containers::owner(spec, ctx.id());
        let (uid, gid) =
            host.docker.image_user(&spec.postgres_image, Some("postgres"), owner.labels("probe", "postgres")).await?;
        let password = ctx.secret(secret_names::CLUSTER_PASSWORD)?;
        records.write_for(&records.password_path(spec.instance_id), password.expose().as_bytes(), uid, gid)?;
        control::have_postgres(host, ctx, spec).await?;
        let name = record::postgres_container(&spec.slug);
        host.docker.start(&name).await.map_err(|e| failed("start PostgreSQL", e))?;
        let address = record::database_host(spec.instance_id);
        super::unless_cancelled(ctx, postgres::ready(&host.docker, &name, &address)).await?;
        settings_keep(host, spec).await
    }

    async fn database(&self) -> Result<(), OpError> {
        let password = self.ctx.secret(secret_names::DATABASE_PASSWORD)?;
        let database = Database { name: &self.spec.database_name, role: &self.spec.database_role };
        database.ensure(&self.host.docker, &record::postgres_container(&self.spec.slug), &password).await
    }

    async fn config(&self, odoo: &Image, database: &Image) -> Result<(), OpError> {
        let Self { host, ctx, spec, .. } = self;
        containers::volume_ensure(&host.docker, spec, ctx.id(), "odoo", "config").await?;
        let passwords = Passwords {
            database: ctx.secret(secret_names::DATABASE_PASSWORD)?,
            master: ctx.secret(secret_names::MASTER_PASSWORD)?,
            smtp: smtp_password(ctx, spec)?,
        };
        let labels = containers::owner(spec, ctx.id()).labels("probe", "config");
        write_conf(host, spec, &passwords, &host.records.conf_path(spec.instance_id), labels).await?;
        host.records.write(&Record {
            image_digest: odoo.digest.clone(),
            postgres_digest: database.digest.clone(),
            ..self.record()?
        })
    }

    async fn admin(&self) -> Result<(), OpError> {
        let password = self.ctx.secret(secret_names::ADMIN_PASSWORD)?;
        let url = admin::url(&self.spec.bind_address, self.record()?.http_port);
        let container = record::postgres_container(&self.spec.slug);
        admin::set_up(self.host, &container, self.spec, &password, &url).await
    }

    /// Another program may take the port between the look and the start; then the next one is tried.
    async fn start(&self) -> Result<(), OpError> {
        let Self { host, ctx, spec, .. } = self;
        let mut record = self.record()?;
        loop {
            let name = record.odoo_container();
            containers::create(&host.docker, &name, containers::odoo(&record, ctx.id(), "start", &host.records))
                .await?;
            ctx.failpoint("instance_provision.start.created");
            let Err(e) = host.docker.start(&name).await else { return Ok(()) };
            if !is_port_conflict(&words(&e)) {
                return Err(failed("start Odoo", e));
            }
            if spec.http_port.is_some() {
                return Err(preflight::port_taken(record.http_port, "another program"));
            }
            ctx.log(format!("Port {} was taken meanwhile; the next one is tried.", record.http_port));
            host.docker.remove(&name).await?;
            record = preflight::reserve(host, ctx, spec, record.http_port + 1).await?;
            let url = admin::url(&spec.bind_address, record.http_port);
            admin::set_base_url(host, &record.postgres_container(), spec, &url).await?;
        }
    }

    /// Take back everything, the newest first. Only what carries this job's label, and the record only if it is this
    /// job's and nothing stays that it would be needed for: the next attempt clears up by it.
    async fn back(&self) {
        let Self { host, ctx, spec, .. } = self;
        let mut clean = true;
        for (step, name) in
            [("start", record::odoo_container(&spec.slug)), ("initialise", record::init_container(&spec.slug))]
        {
            if ctx.has_effects(step) {
                clean &= ctx.undo(step, || self.remove_container(&name)).await;
            }
        }
        if ctx.has_effects("config") {
            clean &= ctx.undo("config", || self.remove_free_volumes()).await;
        }
        // With the database in it.
        for step in ["admin", "database", "postgres"] {
            if ctx.has_effects(step) {
                clean &= ctx.undo(step, || self.remove_rest()).await;
            }
        }
        if ctx.has_effects("network") {
            clean &= ctx.undo("network", || network::remove_if_empty(host, spec.environment_id)).await;
        }
        let mine = host.records.find(spec.instance_id).map_or(ctx.has_effects("check"), |r| r.job == ctx.id());
        if mine && clean {
            ctx.undo("check", || async { host.records.remove(spec.instance_id) }).await;
        }
    }

    async fn remove_container(&self, name: &str) -> Result<(), OpError> {
        let found = self.host.docker.inspect(name).await?;
        match found.and_then(|c| c.config?.labels) {
            Some(labels) if labels::made_by(Some(&labels), self.ctx) => self.host.docker.remove(name).await,
            _ => Ok(()),
        }
    }

    fn filters(&self) -> Vec<String> {
        vec![
            labels::managed(),
            labels::filter(labels::INSTANCE, self.spec.instance_id),
            labels::filter(labels::JOB, self.ctx.id()),
        ]
    }

    /// PostgreSQL still uses its own: that one goes with it.
    async fn remove_free_volumes(&self) -> Result<(), OpError> {
        match volumes::remove(&self.host.docker, &self.filters(), Duration::ZERO).await {
            Err(e) if e.code == volumes::IN_USE => Ok(()),
            removed => removed,
        }
    }

    async fn remove_rest(&self) -> Result<(), OpError> {
        for container in self.host.docker.list(&self.filters()).await? {
            self.host.docker.remove(container.id.as_deref().unwrap_or_default()).await?;
        }
        volumes::remove(&self.host.docker, &self.filters(), volumes::PATIENCE).await
    }
}

/// Where the image of PostgreSQL keeps its data: that moved with major 18.
pub async fn data_directory(host: &Host, spec: &InstanceSpec) -> Result<String, OpError> {
    let image = host.docker.image(&spec.postgres_image).await?;
    let volumes = image.and_then(|i| i.config?.volumes).unwrap_or_default();
    let found = volumes.into_iter().find(|v| v.starts_with("/var/lib/postgresql"));
    Ok(found.unwrap_or_else(|| postgres::DATA.into()))
}

/// The password at the mail server, where the settings have one.
pub fn smtp_password(ctx: &JobContext, spec: &InstanceSpec) -> Result<Option<Secret>, OpError> {
    let wanted = spec.settings.smtp.as_ref().is_some_and(|smtp| smtp.has_password);
    if wanted { ctx.secret(secret_names::SMTP_PASSWORD).map(Some) } else { Ok(None) }
}

/// Write an odoo.conf so that the image's user, and nobody else, reads it.
pub async fn write_conf(
    host: &Host, spec: &InstanceSpec, passwords: &Passwords, path: &Path, probe: HashMap<String, String>,
) -> Result<(), OpError> {
    let records = &host.records;
    let text = conf::render(spec, &record::database_host(spec.instance_id), passwords)?;
    let (uid, gid) = host.docker.image_user(spec.effective_image(), None, probe).await?;
    records.write_for(path, text.as_bytes(), uid, gid)?;
    let addons = records.addons_dir(spec.instance_id);
    std::fs::create_dir_all(&addons).map_err(|e| record::disk(&addons, &e))?;
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&addons, open).map_err(|e| record::disk(&addons, &e))
}

/// The result of a job that left the instance running.
pub async fn running(host: &Host, record: &Record, start_milliseconds: u64) -> Result<InstanceRunning, OpError> {
    let name = record.odoo_container();
    let found = host.docker.inspect(&name).await?;
    Ok(InstanceRunning {
        container_id: found.and_then(|c| c.id).unwrap_or_default(),
        container_name: name,
        image_digest: record.image_digest.clone(),
        http_port: record.http_port,
        realtime_port: record.published_realtime_port(),
        start_milliseconds,
    })
}

pub fn is_port_conflict(text: &str) -> bool {
    ["port is already allocated", "address already in use", "Ports are not available"].iter().any(|p| text.contains(p))
}
