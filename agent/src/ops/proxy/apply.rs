//! `proxy_apply`: have the proxy serve just what is wished. A configuration that Caddy does not take leaves the one before
//! in force.

use super::container::{self, Labels};
use super::files::{ProxyFiles, inside};
use super::{CONTAINER, caddy, check, upstreams};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::ExecSpec;
use crate::host::docker::image::{Image, with_tag};
use crate::ops::odoo::record::{Record, Stage};
use crate::ops::odoo::{health, logins};
use chrono::{DateTime, TimeDelta};
use ocore_shared::protocol::proxy::{ProxyApplied, ProxyApply, certificate_secret};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tokio::sync::OwnedRwLockWriteGuard;
use tokio::time::Instant;

const START: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(200);
const STOP_SECONDS: i32 = 10;
/// How long Caddy lets a request wait for an Odoo.
pub const HOLD: Duration = Duration::from_secs(45);
/// How long after a refusal it tries again.
pub const HOLD_STEP: Duration = Duration::from_millis(250);
/// How long it waits for a connection to an Odoo.
pub const DIAL: Duration = Duration::from_secs(2);
/// Nobody waits any more for an Odoo that has been up for this long.
const FRESH: TimeDelta = TimeDelta::minutes(2);
/// Requests that take longer than this after another configuration may be lost when their Odoo is restarted.
const DRAIN: Duration = Duration::from_secs(2);
/// One that takes longer to answer a question after its health is not up yet.
const ANSWER: Duration = Duration::from_secs(3);

pub async fn proxy_apply(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let wish: ProxyApply = ctx.input()?;
    // A directory that is not here is another machine's.
    let console = wish.console.clone().filter(|console| Path::new(&console.directory).is_dir());
    if let (Some(missing), None) = (&wish.console, &console) {
        ctx.log(format!("{} is not served: its controller is not on this machine.", missing.host));
    }
    let wish = ProxyApply { image: with_tag(&wish.image), console, ..wish };
    ctx.plan(&[
        ("check", "Look at the ports"),
        ("pull_image", "Fetch the proxy"),
        ("files", "Write its files"),
        ("container", "Start the proxy"),
        ("load", "Serve what is wished"),
    ])
    .await?;
    let files = &host.proxy;
    // One at a time: the keeper looks after the same container.
    let _held = host.proxy_lock.lock().await;
    if !wish.enabled {
        for step in ["check", "pull_image", "files", "load"] {
            ctx.skip(step, "There is to be no proxy.").await?;
        }
        ctx.step("container", async {
            host.docker.stop(CONTAINER, STOP_SECONDS).await?;
            host.docker.remove(CONTAINER).await?;
            files.remove()
        })
        .await?;
        return done(None);
    }
    ctx.step("check", async {
        check::values(&wish)?;
        container::ports_are_free(&host, &wish).await
    })
    .await?;
    let _: Image = ctx
        .step("pull_image", async {
            let logins = logins(&ctx, &wish.registries).await?;
            host.docker.image_ensure(&wish.image, &logins, |done, total| ctx.progress(done, total, "bytes")).await
        })
        .await?;
    ctx.step("files", async { files.write_certificates(&wish, |name| ctx.secret(&certificate_secret(name))) }).await?;
    let id: String = ctx.step("container", have(&host, files, Labels::Job(&ctx), &wish)).await?;
    ctx.step("load", async {
        let loaded = load(&host, files, &wish).await.and_then(|()| files.write_wish(&wish));
        let tidied = files.tidy();
        loaded.and(tidied)
    })
    .await?;
    done(Some(id))
}

fn done(container_id: Option<String>) -> Result<Value, OpError> {
    serde_json::to_value(ProxyApplied { container_id })
        .map_err(|e| OpError::new("internal", format!("The result cannot be written: {e}.")))
}

/// Have it running, on what it served before or on nothing.
async fn have(host: &Host, files: &ProxyFiles, labels: Labels<'_>, wish: &ProxyApply) -> Result<String, OpError> {
    if files.config().is_none() {
        files.write_next(&caddy::render(
            &ProxyApply { sites: Vec::new(), console: None, ..wish.clone() },
            &Default::default(),
        ))?;
        files.accept_next()?;
    }
    let (id, started) = container::ensure(host, files, labels, wish).await?;
    if started {
        answers(host).await?;
    }
    Ok(id)
}

/// Wait until its administration answers.
async fn answers(host: &Host) -> Result<(), OpError> {
    let give_up_at = Instant::now() + START;
    loop {
        let state = host.docker.inspect(CONTAINER).await?.and_then(|c| c.state).unwrap_or_default();
        if state.running != Some(true) || state.restarting == Some(true) {
            let log = host.docker.last_lines(CONTAINER, 10).await.unwrap_or_default();
            return Err(OpError::new(
                "proxy_failed",
                format!("The proxy ended when it was started. Its last lines:\n{log}"),
            ));
        }
        let asked = ExecSpec::new(["test", "-S", "/run/ocore-caddy.sock"]);
        if host.docker.exec(CONTAINER, asked, b"").await.is_ok_and(|output| output.code == 0) {
            return Ok(());
        }
        if Instant::now() > give_up_at {
            return Err(OpError::retryable(
                "proxy_failed",
                "The proxy does not come up; its container's log says why.",
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Have Caddy serve it, without dropping a connection.
async fn load(host: &Host, files: &ProxyFiles, wish: &ProxyApply) -> Result<(), OpError> {
    let config = caddy::render(wish, &upstreams(&host.records, &wish.sites));
    if files.config().as_ref() == Some(&config) {
        return serve(host, files, &config).await;
    }
    calmly(host, serve(host, files, &config)).await
}

async fn serve(host: &Host, files: &ProxyFiles, config: &Value) -> Result<(), OpError> {
    let next = files.write_next(config)?;
    reload(host, &inside(&next), false).await?;
    files.accept_next()
}

/// Have Caddy read a file anew; with `force` even if it is the same.
pub async fn reload(host: &Host, path: &str, force: bool) -> Result<(), OpError> {
    let mut argv = vec!["caddy", "reload", "--config", path, "--address", "unix//run/ocore-caddy.sock"];
    if force {
        argv.push("--force");
    }
    let output = host.docker.exec(CONTAINER, ExecSpec::new(argv), b"").await?;
    if output.code == 0 {
        return Ok(());
    }
    let said = output.stderr.lines().rfind(|line| line.contains("rror")).unwrap_or("no reason given").trim();
    let said: String = said.chars().take(400).collect();
    Err(OpError::new(
        "proxy_refused",
        format!("Caddy does not take the configuration; what it served before goes on: {said}"),
    ))
}

/// Have the proxy run and serve what is wished. Under the lock. False: another configuration is put off, since requests
/// wait for an Odoo; only when it `may_wait`.
pub async fn look_after(host: &Host, may_wait: bool) -> Result<bool, OpError> {
    let files = &host.proxy;
    let Some(wish) = files.wish() else { return Ok(true) };
    have(host, files, Labels::None, &wish).await?;
    let config = caddy::render(&wish, &upstreams(&host.records, &wish.sites));
    if files.config().as_ref() == Some(&config) {
        return Ok(true);
    }
    let calm = match may_wait {
        false => calm(host).await,
        true => match host.standing.clone().try_write_owned() {
            Ok(calm) if is_calm(host, &wish).await => {
                settle(host, &wish).await;
                Some(calm)
            }
            _ => return Ok(false),
        },
    };
    let served = serve(host, files, &config).await;
    drain(calm);
    served.map(|()| true)
}

/// After a job that may have changed what an Odoo wants of its proxy: the job's end means that it is reached. What cannot
/// be done in time is left to the keeper.
pub async fn follow(host: &Host) {
    let Some(wish) = host.proxy.wish() else { return };
    let wanted = caddy::render(&wish, &upstreams(&host.records, &wish.sites));
    if host.proxy.config().as_ref() == Some(&wanted) {
        return;
    }
    let followed = async {
        let _held = host.proxy_lock.lock().await;
        look_after(host, false).await
    };
    match tokio::time::timeout(HOLD + START, followed).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(code = error.code, "the proxy does not follow yet: {}", error.message),
        Err(_) => tracing::warn!("the proxy does not follow yet: another job works on it"),
    }
}

/// Give Caddy another configuration while no request waits for an Odoo. Requests that are under way then go on by the one
/// before, which holds none any more: nobody takes an Odoo away until they are through.
pub async fn calmly<T>(host: &Host, work: impl Future<Output = T>) -> T {
    let calm = calm(host).await;
    let done = work.await;
    drain(calm);
    done
}

fn drain(calm: Option<OwnedRwLockWriteGuard<()>>) {
    let Some(calm) = calm else { return };
    tokio::spawn(async move {
        tokio::time::sleep(DRAIN).await;
        drop(calm);
    });
}

/// Wait until no request waits for an Odoo, and see to it that none does while this is held: Caddy holds requests while an
/// Odoo is restarted, and answers those that it holds with 502 when it is given another configuration. Not longer than they
/// are held anyway; then none.
async fn calm(host: &Host) -> Option<OwnedRwLockWriteGuard<()>> {
    let wish = host.proxy.wish()?;
    let calm = async {
        let held = host.standing.clone().write_owned().await;
        while !is_calm(host, &wish).await {
            tokio::time::sleep(PAUSE).await;
        }
        settle(host, &wish).await;
        held
    };
    tokio::time::timeout(HOLD, calm).await.ok()
}

/// The Odoos behind the proxy that are meant to run.
fn served(host: &Host, wish: &ProxyApply) -> Vec<Record> {
    let is_behind = |record: &Record| wish.sites.iter().any(|site| site.instance_id == record.spec.instance_id);
    host.records.all().into_iter().filter(|r| r.running && r.stage == Stage::Ready && is_behind(r)).collect()
}

/// Requests that waited for an Odoo find it with their next try only, and the one before may hang on its old address.
async fn settle(host: &Host, wish: &ProxyApply) {
    let started = served(host, wish).into_iter().map(|record| async move {
        let container = host.docker.inspect(&record.odoo_container()).await.ok()??;
        DateTime::parse_from_rfc3339(&container.state?.started_at?).ok()
    });
    let started = futures::future::join_all(started).await;
    if started.into_iter().flatten().any(|at| host.clock.now() - at.to_utc() < FRESH) {
        tokio::time::sleep(DIAL + 2 * HOLD_STEP).await;
    }
}

/// Whether every Odoo behind the proxy that is meant to run answers.
async fn is_calm(host: &Host, wish: &ProxyApply) -> bool {
    let asked = served(host, wish).into_iter().map(|record| async move {
        let answer = tokio::time::timeout(ANSWER, health::check(&record)).await;
        answer.is_ok_and(|answer| answer.is_ok())
    });
    futures::future::join_all(asked).await.into_iter().all(|answers| answers)
}
