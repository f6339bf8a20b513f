//! Health: taken in from agents, and told with a score.

use super::model::{Deduction, InstanceHealthDetail, Uptime, deductions, score};
use super::store::{self, Stored};
use crate::app::App;
use crate::apps::instances::metrics::store::sample_latest;
use crate::apps::instances::model::InstanceStatus;
use crate::apps::instances::observe::store::instance_lock;
use crate::apps::instances::service::instance_get;
use crate::error::Result;
use crate::platform::bus::{Kind, Signal};
use crate::platform::http::{Actor, Ctx};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use chrono::{DateTime, Days, TimeDelta, Utc};
use ocore_shared::ids::{InstanceId, OrganizationId, ServerId};
use ocore_shared::protocol::health::{CheckState, Crashes, HealthState, InstanceHealthReport};
use serde_json::json;
use sqlx::PgConnection;

/// An older sample says nothing of now.
const SAMPLE_AGE: TimeDelta = TimeDelta::minutes(5);

/// Take a report in. What nobody works on and is meant to run is told as an event when it changes for better or worse.
pub async fn report_apply(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId, report: &InstanceHealthReport,
    at: DateTime<Utc>,
) -> Result<Vec<Signal>> {
    let id = report.instance_id;
    let Some(present) = instance_lock(connection, organization, Some(server), id.0).await? else {
        return Ok(Vec::new());
    };
    let before = store::health_find(connection, organization, id).await?;
    let state = report.state();
    let was = before.as_ref().map(|b| b.report.state());
    // Told again at the start of a stream: nothing but the span, which ended with the stream before, is to be done.
    store::span_begin(connection, organization, id, state, at).await?;
    if before.as_ref().is_some_and(|b| b.report == *report) {
        return Ok(Vec::new());
    }
    let is_told = before.as_ref().is_some_and(|b| b.is_told);
    let settled = matches!(present.status, InstanceStatus::Running | InstanceStatus::Error) && !present.busy;
    let kind = match state {
        HealthState::CrashLooping if was != Some(state) && settled => Some("instance.crash_looping"),
        HealthState::Unhealthy if !is_told && settled => Some("instance.unhealthy"),
        HealthState::Healthy if is_told => Some("instance.healthy"),
        _ => None,
    };
    let since = before.as_ref().filter(|_| was == Some(state)).map_or(at, |b| b.since);
    let is_told = match state {
        HealthState::Healthy | HealthState::Stopped => false,
        _ => is_told || kind.is_some(),
    };
    let stored = Stored { since, is_told, report: report.clone(), reported_at: at };
    store::health_store(connection, organization, id, &stored).await?;
    let mut signals = vec![Signal::Changed { organization, kind: Kind::Instance, id: id.0 }];
    if let Some(kind) = kind {
        let subject = Subject::new("instance", id, present.name);
        let crashes = &report.crashes;
        let data = json!({
            "reason": report.reason(), "since": since,
            "crashes": {"recent": crashes.recent, "exit_code": crashes.exit_code, "out_of_memory": crashes.out_of_memory},
        });
        event_append(connection, organization, kind, &Actor::system(), &subject, data).await?;
        signals.push(Signal::EventsAppended);
    }
    Ok(signals)
}

/// How well an instance is, and its uptime over the last `days` days, today among them.
pub async fn instance_health(ctx: &Ctx, app: &App, id: InstanceId, days: u32) -> Result<InstanceHealthDetail> {
    let instance = instance_get(ctx, app, id).await?;
    let now = app.clock.now();
    let mut connection = app.db.org(ctx.organization).await?;
    let first = now.date_naive() - Days::new(u64::from(days.saturating_sub(1)));
    let uptime = Uptime::of(store::uptime_list(&mut connection, ctx.organization, id, first, now).await?);
    let connected = store::server_is_connected(&mut connection, ctx.organization, instance.server_id).await?;
    let Some(mut stored) = store::health_find(&mut connection, ctx.organization, id).await? else {
        return Ok(unknown(uptime));
    };
    if !connected {
        let reason = format!("The server {} is not connected.", instance.server_name);
        for check in stored.report.checks.iter_mut().filter(|c| c.state != CheckState::NotApplicable) {
            (check.state, check.reason) = (CheckState::Unknown, Some(reason.clone()));
        }
        let Stored { report, reported_at, .. } = stored;
        let detail = unknown(uptime);
        return Ok(InstanceHealthDetail {
            checks: report.checks,
            crashes: report.crashes,
            reported_at: Some(reported_at),
            ..detail
        });
    }
    let sample = sample_latest(&mut connection, ctx.organization, id, now - SAMPLE_AGE).await?;
    let today = uptime.days.last().and_then(|day| day.percent);
    let state = stored.report.state();
    let is_judged = !matches!(state, HealthState::Stopped | HealthState::Unknown);
    let found: Vec<Deduction> =
        if is_judged { deductions(&stored.report, today, sample.as_ref(), now) } else { Vec::new() };
    let (points, grade) = score(&found);
    Ok(InstanceHealthDetail {
        state,
        since: Some(stored.since),
        score: is_judged.then_some(points),
        grade: is_judged.then(|| grade.to_owned()),
        deductions: found,
        checks: stored.report.checks,
        crashes: stored.report.crashes,
        uptime,
        reported_at: Some(stored.reported_at),
    })
}

/// Of what nothing is known.
fn unknown(uptime: Uptime) -> InstanceHealthDetail {
    InstanceHealthDetail {
        state: HealthState::Unknown,
        since: None,
        score: None,
        grade: None,
        deductions: Vec::new(),
        checks: Vec::new(),
        crashes: Crashes::default(),
        uptime,
        reported_at: None,
    }
}
