//! `noop`: does nothing, measurably. For the first job of a new server, for benches and for tests.

use crate::engine::{JobContext, OpError, Registry};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Input {
    /// Each step takes that long.
    sleep_ms: u64,
    /// The last step fails.
    fail: bool,
    /// Each step logs that many lines.
    log_lines: u32,
    steps: usize,
}

impl Default for Input {
    fn default() -> Self {
        Self { sleep_ms: 0, fail: false, log_lines: 0, steps: 1 }
    }
}

/// Names live as long as the program, so there are as many as there are here.
const STEPS: [(&str, &str); 8] = [
    ("noop", "Do nothing"),
    ("noop_2", "Do nothing again"),
    ("noop_3", "Do nothing a third time"),
    ("noop_4", "Do nothing a fourth time"),
    ("noop_5", "Do nothing a fifth time"),
    ("noop_6", "Do nothing a sixth time"),
    ("noop_7", "Do nothing a seventh time"),
    ("noop_8", "Do nothing an eighth time"),
];

pub fn register(registry: &mut Registry) {
    registry.add("noop", |ctx| Box::pin(run(ctx)));
}

async fn run(ctx: JobContext) -> Result<Value, OpError> {
    let input = match ctx.request().input.is_null() {
        true => Input::default(),
        false => ctx.input()?,
    };
    let steps = STEPS.get(..input.steps).filter(|s| !s.is_empty()).ok_or_else(|| {
        OpError::new("invalid_input", format!("noop has 1 to {} steps, not {}.", STEPS.len(), input.steps))
    })?;
    ctx.plan(steps).await?;
    for (index, (name, _)) in steps.iter().enumerate() {
        let last = index + 1 == steps.len();
        ctx.step(name, one_step(&ctx, &input, last)).await?;
    }
    Ok(json!({ "steps": steps.len() }))
}

async fn one_step(ctx: &JobContext, input: &Input, last: bool) -> Result<(), OpError> {
    for line in 1..=input.log_lines {
        ctx.log(format!("line {line} of {}", input.log_lines));
    }
    if input.sleep_ms > 0 {
        tokio::time::sleep(Duration::from_millis(input.sleep_ms)).await;
    }
    if input.fail && last {
        return Err(OpError::new("noop_failed", "The job was asked to fail."));
    }
    Ok(())
}
