//! The score: what is taken from 100, and why.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use ocore_shared::protocol::health::{
    CheckName, CheckState, Crashes, HealthCheck, HealthState, InstanceHealthReport, InstanceSample,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Points that something costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Deduction {
    pub points: u32,
    /// What is wrong, in a sentence.
    pub reason: String,
}

/// How well an instance is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InstanceHealthDetail {
    pub state: HealthState,
    /// Since when it is in that state; none before the first report.
    pub since: Option<DateTime<Utc>>,
    /// 0 to 100. None while nothing can be said: it is stopped on purpose, or its server is away.
    pub score: Option<u32>,
    /// `A` from 90 on, `B` from 75, `C` from 50, `D` from 25, else `F`.
    pub grade: Option<String>,
    /// What was taken from 100, the most first.
    pub deductions: Vec<Deduction>,
    pub checks: Vec<HealthCheck>,
    pub crashes: Crashes,
    pub uptime: Uptime,
    /// When its server last told of a change.
    pub reported_at: Option<DateTime<Utc>>,
}

/// Share of the time in which it was healthy. Time in which it was stopped on purpose, was starting or was not seen is
/// left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Uptime {
    /// Over all days asked for; none without any time to judge.
    pub percent: Option<f64>,
    /// Oldest first, in UTC.
    pub days: Vec<UptimeDay>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UptimeDay {
    pub day: NaiveDate,
    pub percent: Option<f64>,
    pub healthy_seconds: i64,
    pub unhealthy_seconds: i64,
}

impl UptimeDay {
    pub fn new(day: NaiveDate, healthy_seconds: i64, unhealthy_seconds: i64) -> Self {
        Self { day, percent: percent(healthy_seconds, unhealthy_seconds), healthy_seconds, unhealthy_seconds }
    }
}

impl Uptime {
    pub fn of(days: Vec<UptimeDay>) -> Self {
        let sum = |seconds: fn(&UptimeDay) -> i64| days.iter().map(seconds).sum();
        Self { percent: percent(sum(|d| d.healthy_seconds), sum(|d| d.unhealthy_seconds)), days }
    }
}

fn percent(healthy: i64, unhealthy: i64) -> Option<f64> {
    let all = healthy + unhealthy;
    // To thousandths, and 100 only when nothing is missing.
    (all > 0).then(|| (healthy as f64 / all as f64 * 100_000.0).floor() / 1000.0)
}

/// What it costs that one of the checks fails.
fn price(name: CheckName) -> u32 {
    match name {
        CheckName::Container => 100,
        CheckName::Http => 60,
        CheckName::Database => 60,
        CheckName::Realtime => 15,
    }
}

/// All that is to be taken from 100. `today` is the uptime of the last day, `sample` the newest, if it is new.
pub fn deductions(
    report: &InstanceHealthReport, today: Option<f64>, sample: Option<&InstanceSample>, now: DateTime<Utc>,
) -> Vec<Deduction> {
    let mut found = Vec::new();
    let mut take = |points, reason: String| found.push(Deduction { points, reason });
    for check in &report.checks {
        let reason = || check.reason.clone().unwrap_or_else(|| "It does not answer.".into());
        match check.state {
            CheckState::Failing => take(price(check.name), reason()),
            CheckState::Starting => take(10, format!("It is starting: {}", reason())),
            CheckState::Ok | CheckState::Unknown | CheckState::NotApplicable => {}
        }
    }
    let crashes = &report.crashes;
    let why = match (crashes.out_of_memory, crashes.exit_code) {
        (true, _) => "it wanted more memory than it may have".to_owned(),
        (false, Some(code)) => format!("exit code {code}"),
        (false, None) => "for a reason that its log may tell".to_owned(),
    };
    if crashes.is_looping {
        take(50, format!("It ended by itself {} times in 10 minutes ({why}).", crashes.recent));
    } else if crashes.last_at.is_some_and(|at| now - at < TimeDelta::days(1)) {
        take(10, format!("It ended by itself within the last day ({why})."));
    }
    if let Some(today) = today.filter(|percent| *percent < 99.9) {
        let points = ((100.0 - today).ceil() as u32).min(20);
        take(points, format!("It was healthy for {today} % of today's time."));
    }
    let memory = sample.and_then(|s| s.memory_used_bytes.zip(s.memory_limit_bytes)).filter(|(_, limit)| *limit > 0);
    if let Some((used, limit)) = memory {
        let share = used as f64 / limit as f64 * 100.0;
        if share >= 85.0 {
            let points = if share >= 95.0 { 10 } else { 5 };
            take(points, format!("It uses {share:.0} % of the memory that it may have."));
        }
    }
    found.sort_by_key(|deduction| std::cmp::Reverse(deduction.points));
    found
}

/// Score and grade.
pub fn score(deductions: &[Deduction]) -> (u32, &'static str) {
    let score = 100_u32.saturating_sub(deductions.iter().map(|d| d.points).sum());
    let grade = match score {
        90.. => "A",
        75.. => "B",
        50.. => "C",
        25.. => "D",
        _ => "F",
    };
    (score, grade)
}
