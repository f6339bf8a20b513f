//! Odoo's own command, run once in a container of its own: to fill a database, to try settings, to change modules.
//!
//! A job that is resumed finds that container, running or ended, and goes on reading its log after what the job's log
//! holds. It is removed only by the next step: until this one is written down as done, its container is the proof.

use super::containers;
use super::init_log::{InitLog, Purpose};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::lines::LinesOptions;
use crate::host::docker::{failed, labels};
use bollard::models::{ContainerCreateBody, ContainerState};
use futures::StreamExt;
use std::time::Duration;
use tokio::time::Instant;

/// Docker may be away for that long.
const DOCKER_PATIENCE: Duration = Duration::from_secs(120);
/// What the step says by itself, between the lines of the container.
const GOES_ON: &str = "Odoo goes on; its log is read from where it was left.";
/// Said before the container is made anew.
pub const MADE_ANEW: &str = "The database was half set up by an attempt that did not end; it is made anew.";
const NOTES: [&str; 2] = [GOES_ON, MADE_ANEW];

/// Run it to its end and judge its log. `before` is done just before a new container is made.
pub async fn run(
    host: &Host, ctx: &JobContext, name: &str, body: ContainerCreateBody, purpose: Purpose,
    before: impl Future<Output = Result<(), OpError>>,
) -> Result<(), OpError> {
    let found = host.docker.inspect(name).await?;
    let step = body.labels.as_ref().and_then(|labels| labels.get(labels::STEP)).cloned();
    let attached = found.as_ref().is_some_and(|c| {
        let started = c.state.as_ref().and_then(|s| s.started_at.as_deref()).is_some_and(|t| !t.starts_with("0001"));
        let labels = c.config.as_ref().and_then(|c| c.labels.as_ref());
        started && labels::made_by(labels, ctx) && labels.and_then(|labels| labels.get(labels::STEP)) == step.as_ref()
    });
    let told = if attached {
        let told = ctx.logged()?.into_iter().filter(|line| !NOTES.contains(&line.as_str())).count();
        ctx.log(GOES_ON);
        told
    } else {
        host.docker.remove(name).await?;
        before.await?;
        containers::create(&host.docker, name, body).await?;
        ctx.failpoint(&format!("{}.oneshot.created", ctx.request().kind));
        host.docker.start(name).await.map_err(|e| failed("start Odoo's own command", e))?;
        0
    };
    super::unless_cancelled(ctx, finish(host, ctx, name, told, purpose)).await
}

/// Read the log to its end and judge it.
async fn finish(host: &Host, ctx: &JobContext, name: &str, told: usize, purpose: Purpose) -> Result<(), OpError> {
    let mut log = Log { scan: InitLog::default(), seen: 0, told, cut: false };
    let mut away_since: Option<Instant> = None;
    loop {
        // Followed anew when Docker was restarted meanwhile; what was told already is only looked at again.
        match log.read_on(host, ctx, name).await {
            Ok(state) if state.running != Some(true) => return log.verdict(purpose, &state),
            Ok(_) => away_since = None,
            Err(e) if e.retryable && away_since.get_or_insert_with(Instant::now).elapsed() < DOCKER_PATIENCE => {
                log.cut = true;
                ctx.message(e.message);
            }
            Err(e) => return Err(e),
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

struct Log {
    scan: InitLog,
    /// Lines that were looked at.
    seen: u64,
    /// Lines that are in the job's log already, from before a restart.
    told: usize,
    /// Whether Docker went away in between.
    cut: bool,
}

impl Log {
    /// Read until there is no more for now, and say how the container is then.
    async fn read_on(&mut self, host: &Host, ctx: &JobContext, name: &str) -> Result<ContainerState, OpError> {
        let mut count = 0u64;
        let options = LinesOptions { follow: true, ..LinesOptions::default() };
        let mut lines = host.docker.lines(name, options).await?;
        while let Some(line) = lines.next().await {
            let Ok(line) = line else {
                self.cut = true;
                break;
            };
            count += 1;
            if count <= self.seen {
                continue;
            }
            self.seen = count;
            self.scan.line(&line.text);
            let lines = line.text.lines().count();
            if self.told >= lines {
                self.told -= lines;
            } else {
                modules(ctx, &line.text);
                ctx.log(line.text);
            }
        }
        host.docker.inspect(name).await?.and_then(|c| c.state).ok_or_else(|| {
            OpError::new("container_missing", "The container in which Odoo's own command ran was removed by someone.")
        })
    }

    fn verdict(self, purpose: Purpose, state: &ContainerState) -> Result<(), OpError> {
        match self.scan.verdict(purpose, state.exit_code.unwrap_or(-1), state.oom_killed == Some(true)) {
            // An end without a reason of its own.
            Err(e) if self.cut && (e.code == "out_of_memory" || e.code == purpose.code) => Err(OpError::retryable(
                "docker_restarted",
                format!("Docker was restarted while Odoo {}, and ended it. Try again.", purpose.past),
            )),
            verdict => verdict,
        }
    }
}

/// `Loading module web (4/8)` is progress that people understand.
fn modules(ctx: &JobContext, text: &str) {
    if let Some((done, total)) = module_progress(text) {
        ctx.progress(done, Some(total), "modules");
    }
}

fn module_progress(text: &str) -> Option<(u64, u64)> {
    let (_, rest) = text.split_once("Loading module ")?;
    let (done, total) = rest.split_once('(')?.1.trim_end().strip_suffix(')')?.split_once('/')?;
    Some((done.parse().ok()?, total.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_counted() {
        let line = "2026-11-22 01:06:19,123 7 INFO shop odoo.modules.loading: Loading module web (4/8) ";
        assert_eq!(module_progress(line), Some((4, 8)));
        assert_eq!(module_progress("Loading module (x"), None);
    }
}
