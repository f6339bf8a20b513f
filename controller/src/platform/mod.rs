//! Plumbing that knows no feature.

pub mod bus;
pub mod db;
pub mod http;
pub mod jobs;
pub mod pki;
pub mod secrets;
pub mod telemetry;
pub mod tunnel;
