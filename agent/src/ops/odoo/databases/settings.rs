//! `database_settings`: what a person sets of PostgreSQL. A PostgreSQL beside the one that serves is started with the
//! settings first; what it does not start with is refused in its own words. What takes a restart is on the command line
//! of its container, the rest is set by `ALTER SYSTEM`.

use super::look::settings_of;
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::{ExecSpec, failed};
use crate::ops::odoo::containers::{self, STOP_SECONDS};
use crate::ops::odoo::record::{self, Record};
use crate::ops::odoo::{control, health, result, unless_cancelled};
use crate::ops::postgres;
use crate::ops::sql::{ident, literal};
use ocore_shared::postgres::settings::{self, Applies, SETTINGS, Setting, merged};
use ocore_shared::postgres::tuning;
use ocore_shared::protocol::databases::{DatabaseSettings, DatabaseSettingsSet};
use ocore_shared::protocol::odoo::InstanceSpec;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// A PostgreSQL on a directory of its own makes that directory first.
const TRIAL_PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(200);

/// Before and after, stored as the output of the first step.
#[derive(Clone, Serialize, Deserialize)]
struct Change {
    before: Record,
    after: Record,
    /// Names of those whose value differs.
    changed: Vec<String>,
    restart: bool,
}

pub async fn run(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let input: DatabaseSettings = ctx.input()?;
    ctx.plan(&[
        ("check", "Compare the settings"),
        ("try", "Start a PostgreSQL with them beside the one that serves"),
        ("apply", "Apply the settings"),
        ("restart", "Restart PostgreSQL"),
        ("health", "Wait until Odoo answers"),
    ])
    .await?;
    let change: Change = ctx.step("check", compare(&host, &ctx, &input)).await?;
    if change.changed.is_empty() {
        for step in ["try", "apply", "restart", "health"] {
            ctx.skip(step, "Everything is as wished already.").await?;
        }
        let settings = change.after.spec.database_settings;
        return result(DatabaseSettingsSet { settings, ..DatabaseSettingsSet::default() });
    }
    let mut restored = false;
    let outcome = ctx.attempt(apply(&host, &ctx, &change), async { restored = back(&host, &ctx, &change).await }).await;
    match outcome {
        Ok(down_milliseconds) => result(DatabaseSettingsSet {
            settings: change.after.spec.database_settings,
            changed: change.changed,
            restarted: change.restart,
            down_milliseconds,
        }),
        Err(error) if restored => Err(error.and("The settings before are in force.")),
        Err(error) => Err(error),
    }
}

async fn compare(host: &Host, ctx: &JobContext, input: &DatabaseSettings) -> Result<Change, OpError> {
    let before = host.records.get(input.instance_id)?;
    let mut asked = BTreeMap::new();
    for (name, value) in &input.settings {
        let setting = settings::find(name)
            .ok_or_else(|| OpError::new("setting_unknown", format!("{name} is no setting that may be changed.")))?;
        let value = value.as_deref().map(|value| setting.read(value)).transpose();
        asked.insert(name.clone(), value.map_err(|e| OpError::new("setting_invalid", format!("{name}: {e}")))?);
    }
    let mut after = before.clone();
    after.spec.database_settings = merged(&before.spec.database_settings, &asked);
    if let Some((name, message)) = tuning::problems(&after.spec).into_iter().next() {
        return Err(OpError::new("setting_invalid", format!("{name}: {message}")));
    }
    if before.running {
        let known = settings_of(host, &before).await?;
        let missing =
            asked.iter().find(|(name, value)| value.is_some() && !known.settings.iter().any(|s| s.name == **name));
        if let Some((name, _)) = missing {
            let message = format!("PostgreSQL {} does not know {name}; leave it out.", known.version);
            return Err(OpError::new("setting_unknown", message));
        }
    }
    let (old, new) = (&before.spec.database_settings, &after.spec.database_settings);
    let changed: Vec<String> = asked.into_keys().filter(|name| old.get(name) != new.get(name)).collect();
    let found = host.docker.inspect(&before.postgres_container()).await?;
    let restart = found.is_none_or(|found| !containers::fits_postgres(&found, &after.spec));
    if restart && before.running && !changed.is_empty() {
        ctx.message("PostgreSQL takes them in only when it starts.");
    }
    Ok(Change { before, after, changed, restart })
}

async fn apply(host: &Host, ctx: &JobContext, change: &Change) -> Result<u64, OpError> {
    let Change { before, after, restart, .. } = change;
    ctx.step("try", try_settings(host, ctx, &after.spec)).await?;
    ctx.step("apply", async {
        host.docker.remove(&record::task_container(&after.spec.slug)).await?;
        host.records.write(after)?;
        if before.running && !restart { in_force(host, after).await } else { Ok(()) }
    })
    .await?;
    if !restart {
        ctx.skip("restart", "PostgreSQL takes them in while it runs.").await?;
        ctx.skip("health", "Nothing was restarted.").await?;
        return Ok(0);
    }
    let down = ctx.step("restart", recreated(host, ctx, after)).await?;
    if before.running {
        ctx.step("health", health::wait(host, ctx, after)).await?;
    } else {
        ctx.skip("health", "The instance is stopped; they are in force when it starts.").await?;
    }
    Ok(down)
}

/// Take back what was begun. Says whether all is as before.
async fn back(host: &Host, ctx: &JobContext, Change { before, restart, .. }: &Change) -> bool {
    let mut restored = true;
    if ctx.has_effects("health") {
        restored &= ctx.undo("health", || async { Ok(()) }).await;
    }
    if ctx.has_effects("restart") {
        let put_back = || async {
            host.records.write(before)?;
            recreated(host, ctx, before).await?;
            if before.running { health::wait_anyway(host, ctx, before).await } else { Ok(()) }
        };
        restored &= ctx.undo("restart", put_back).await;
    }
    if ctx.has_effects("apply") {
        let put_back = || async {
            host.records.write(before)?;
            if before.running && !restart { settings_keep(host, &before.spec).await } else { Ok(()) }
        };
        restored &= ctx.undo("apply", put_back).await;
    }
    if ctx.has_effects("try") {
        let name = record::task_container(&before.spec.slug);
        restored &= ctx.undo("try", || host.docker.remove(&name)).await;
    }
    restored
}

/// Start PostgreSQL with the settings where it serves nobody. Its container goes with the next step.
async fn try_settings(host: &Host, ctx: &JobContext, spec: &InstanceSpec) -> Result<(), OpError> {
    let name = record::task_container(&spec.slug);
    host.docker.remove(&name).await?;
    let body = containers::postgres_trial(spec, ctx.id(), &host.records);
    containers::create(&host.docker, &name, body).await?;
    host.docker.start(&name).await.map_err(|e| failed("start a PostgreSQL beside the one that serves", e))?;
    unless_cancelled(ctx, trial_ready(host, &name)).await
}

async fn trial_ready(host: &Host, name: &str) -> Result<(), OpError> {
    let deadline = Instant::now() + TRIAL_PATIENCE;
    loop {
        let state = host.docker.inspect(name).await?.and_then(|found| found.state).unwrap_or_default();
        if state.running != Some(true) {
            let log = host.docker.last_lines(name, 40).await.unwrap_or_default();
            let words = match state.oom_killed {
                Some(true) => "it used more memory than it may".to_owned(),
                _ => own_words(&log),
            };
            return Err(OpError::new(
                "settings_refused",
                format!("PostgreSQL does not start with these settings: {words}. The one that serves was not touched."),
            ));
        }
        let asked = ExecSpec::new(["pg_isready", "-q", "-h", "127.0.0.1", "-p", "5432"]);
        if host.docker.exec(name, asked, b"").await.is_ok_and(|output| output.code == 0) {
            return Ok(());
        }
        if Instant::now() > deadline {
            let log = host.docker.last_lines(name, 15).await.unwrap_or_default();
            return Err(OpError::retryable(
                "settings_untried",
                format!("A PostgreSQL with these settings did not answer in time. Its last lines:\n{log}"),
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What PostgreSQL says of the settings, out of its log.
fn own_words(log: &str) -> String {
    let said = |line: &str| {
        let words = ["FATAL:", "ERROR:", "DETAIL:", "HINT:"];
        words
            .iter()
            .find_map(|word| line.split_once(word))
            .map(|(_, said)| said.trim().trim_end_matches('.').to_owned())
    };
    let mut found: Vec<String> = log.lines().filter_map(said).collect();
    found.dedup();
    if found.is_empty() {
        log.lines().last().unwrap_or("it ended without a word").trim().to_owned()
    } else {
        found.join("; ")
    }
}

/// PostgreSQL in a new container on its data. How long nobody could reach it, in milliseconds. Goes either way, so nothing
/// in it looks at the job's cancellation.
async fn recreated(host: &Host, ctx: &JobContext, to: &Record) -> Result<u64, OpError> {
    let (name, since) = (to.postgres_container(), Instant::now());
    host.docker.stop(&name, STOP_SECONDS).await?;
    host.docker.remove(&name).await?;
    if !to.running {
        return control::have_postgres(host, ctx, &to.spec).await.map(|()| 0);
    }
    control::start_postgres(host, ctx, to).await?;
    let down = since.elapsed().as_millis() as u64;
    ctx.message(format!("PostgreSQL answered nobody for {:.1} s.", down as f64 / 1000.0));
    extensions(host, to).await.map(|()| down)
}

async fn in_force(host: &Host, record: &Record) -> Result<(), OpError> {
    settings_keep(host, &record.spec).await?;
    extensions(host, record).await
}

/// What is counted is looked at through an extension.
async fn extensions(host: &Host, record: &Record) -> Result<(), OpError> {
    let libraries = tuning::wanted(&record.spec).remove("shared_preload_libraries").unwrap_or_default();
    if !libraries.split(',').any(|library| library == "pg_stat_statements") {
        return Ok(());
    }
    let script = "CREATE EXTENSION IF NOT EXISTS pg_stat_statements;\n";
    postgres::sql(&host.docker, &record.postgres_container(), &record.spec.database_name, script).await.map(drop)
}

/// Have what PostgreSQL takes in while it runs as this instance wants it; what it wants no more goes back to PostgreSQL's
/// own default.
pub async fn settings_keep(host: &Host, spec: &InstanceSpec) -> Result<(), OpError> {
    let container = record::postgres_container(&spec.slug);
    // What was asked of it by `ALTER SYSTEM`, whoever did that.
    let question = "SELECT coalesce(jsonb_object_agg(name, setting), '{}') FROM pg_file_settings \
                    WHERE sourcefile LIKE '%/postgresql.auto.conf';\n";
    let answer = postgres::sql(&host.docker, &container, "postgres", question).await?;
    let script = keep_script(&super::parsed(&answer)?, &tuning::wanted_when(spec, Applies::Reload))?;
    if script.is_empty() {
        return Ok(());
    }
    let script = format!("{script}SELECT pg_reload_conf();\n");
    postgres::sql(&host.docker, &container, "postgres", &script).await.map(drop)
}

fn keep_script(now: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> Result<String, OpError> {
    let mut script = String::new();
    for Setting { name, .. } in SETTINGS.iter().filter(|setting| setting.applies == Applies::Reload) {
        match (now.get(*name), wanted.get(*name)) {
            (now, Some(value)) if now != Some(value) => {
                script.push_str(&format!("ALTER SYSTEM SET {} = {};\n", ident(name)?, literal(value)?));
            }
            (Some(_), None) => script.push_str(&format!("ALTER SYSTEM RESET {};\n", ident(name)?)),
            _ => {}
        }
    }
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn only_what_differs_is_set() {
        let now = map([("work_mem", "4MB"), ("jit", "off"), ("statement_timeout", "1s"), ("fsync", "off")]);
        let wanted = map([("work_mem", "8MB"), ("jit", "off"), ("random_page_cost", "1.1")]);
        assert_eq!(
            keep_script(&now, &wanted).unwrap(),
            "ALTER SYSTEM SET \"random_page_cost\" = '1.1';\nALTER SYSTEM RESET \"statement_timeout\";\n\
             ALTER SYSTEM SET \"work_mem\" = '8MB';\n"
        );
        assert_eq!(keep_script(&map([("jit", "off")]), &map([("jit", "off")])).unwrap(), "");
    }

    #[test]
    fn postgresql_is_quoted() {
        let log = "running bootstrap script ...\n2026-11-23 [1] FATAL:  could not access file \"x\": No such file.\n\
                   2026-11-23 [1] HINT:  Install it.\nchild process exited with exit code 1";
        assert_eq!(own_words(log), "could not access file \"x\": No such file; Install it");
        assert_eq!(own_words("a\nb"), "b");
    }
}
