//! `database_password`: another password for the instance's role. Odoo stands while the role and odoo.conf get it, so that
//! no running Odoo is ever turned away. oCore itself never needs that password: it is PostgreSQL's superuser by the socket
//! of the container, so whatever is cut anywhere can be put right.

use super::running;
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::ops::odoo::containers::{self, STOP_SECONDS};
use crate::ops::odoo::record::Record;
use crate::ops::odoo::{control, health, provision, result, update};
use crate::ops::postgres;
use crate::ops::sql::{ident, literal};
use chrono::{DateTime, Utc};
use ocore_shared::odoo::conf::{self, Passwords};
use ocore_shared::protocol::databases::{DatabasePassword, DatabasePasswordSet};
use ocore_shared::protocol::odoo::secret_names;
use ocore_shared::secret::Secret;
use serde_json::Value;
use zeroize::Zeroizing;

pub async fn run(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let input: DatabasePassword = ctx.input()?;
    ctx.plan(&[
        ("check", "Look at the instance"),
        ("stop", "Stop Odoo"),
        ("password", "Set the password"),
        ("start", "Start Odoo"),
        ("health", "Wait until Odoo answers"),
    ])
    .await?;
    let record = host.records.get(input.instance_id)?;
    ctx.step("check", async {
        running(&host, input.instance_id)?;
        // Of a job that nobody remembers.
        update::tidy(&host, &record)?;
        known(&host, &record).map(drop)
    })
    .await?;
    let mut restored = false;
    let outcome =
        ctx.attempt(forward(&host, &ctx, &record), async { restored = back(&host, &ctx, &record).await }).await;
    if let Err(error) = update::tidy(&host, &record) {
        ctx.log(error.message);
    }
    match outcome {
        Ok(down_milliseconds) => result(DatabasePasswordSet { down_milliseconds }),
        Err(error) if restored => Err(error.and("The password before is in force.")),
        Err(error) => Err(error),
    }
}

async fn forward(host: &Host, ctx: &JobContext, record: &Record) -> Result<u64, OpError> {
    let stopped: DateTime<Utc> = ctx
        .step("stop", async {
            update::keep_conf(host, record)?;
            let now = ctx.clock().now();
            host.docker.stop(&record.odoo_container(), STOP_SECONDS).await?;
            Ok(now)
        })
        .await?;
    ctx.step("password", async {
        let new = ctx.secret(secret_names::DATABASE_PASSWORD)?;
        let passwords = Passwords { database: new.clone(), ..known(host, record)? };
        let labels = containers::owner(&record.spec, ctx.id()).labels("probe", "password");
        let path = host.records.conf_path(record.spec.instance_id);
        provision::write_conf(host, &record.spec, &passwords, &path, labels).await?;
        ctx.failpoint("database_password.password.written");
        role_alter(host, record, &new).await
    })
    .await?;
    ctx.step("start", control::start_odoo(host, ctx, record, "start")).await?;
    ctx.step("health", async {
        health::wait(host, ctx, record).await?;
        Ok((ctx.clock().now() - stopped).num_milliseconds().unsigned_abs())
    })
    .await
}

/// The file and the role as they were, and Odoo with them. Says whether all is as before.
async fn back(host: &Host, ctx: &JobContext, record: &Record) -> bool {
    let mut restored = true;
    for step in ["health", "start"] {
        if ctx.has_effects(step) {
            restored &= ctx.undo(step, || async { Ok(()) }).await;
        }
    }
    if ctx.has_effects("password") {
        let put_back = || async {
            host.docker.stop(&record.odoo_container(), STOP_SECONDS).await?;
            let text = update::read(&host.records.conf_before_path(record.spec.instance_id))?;
            let before = conf::read_passwords(&text).ok_or_else(damaged)?;
            role_alter(host, record, &before.database).await?;
            update::put_conf_back(host, ctx, record).await
        };
        restored &= ctx.undo("password", put_back).await;
    }
    if ctx.has_effects("stop") {
        let serve_again = || async {
            control::start_odoo(host, ctx, record, "start").await?;
            health::wait_anyway(host, ctx, record).await
        };
        restored &= ctx.undo("stop", serve_again).await;
    }
    restored
}

/// Those that are in the file; the one of before, when the file has been written already.
fn known(host: &Host, record: &Record) -> Result<Passwords, OpError> {
    let id = record.spec.instance_id;
    let (now, before) = (host.records.conf_path(id), host.records.conf_before_path(id));
    let text = update::read(if before.exists() { &before } else { &now })?;
    conf::read_passwords(&text).ok_or_else(damaged)
}

fn damaged() -> OpError {
    OpError::new("conf_damaged", "odoo.conf on the server has lost its passwords.")
}

async fn role_alter(host: &Host, record: &Record, password: &Secret) -> Result<(), OpError> {
    let role = ident(&record.spec.database_role)?;
    let password = Zeroizing::new(literal(password.expose())?);
    // The first line keeps it out of PostgreSQL's own log, whatever that is set to.
    let script = Zeroizing::new(format!(
        "SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic';\n\
         ALTER ROLE {role} WITH LOGIN PASSWORD {};\n",
        *password
    ));
    postgres::sql(&host.docker, &record.postgres_container(), "postgres", &script).await.map(drop)
}
