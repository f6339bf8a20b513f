//! Parameters that many routes take.

use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;

/// Of what can be tried out first.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DryRun {
    /// Only check whether it would be done.
    #[garde(skip)]
    #[serde(default)]
    pub dry_run: bool,
}

/// Of what is one job at a time.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Queue {
    /// Wait behind the job that is under way instead of being refused.
    #[garde(skip)]
    #[serde(default)]
    pub queue: bool,
}

/// The default of a switch that is on unless somebody turns it off.
pub fn default_true() -> bool {
    true
}
