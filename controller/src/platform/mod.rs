//! Plumbing that knows no feature.

pub mod bus;
pub mod db;
pub mod http;
pub mod jobs;
pub mod mail;
pub mod outbound;
pub mod pki;
pub mod public_urls;
pub mod secrets;
pub mod telemetry;
pub mod tunnel;
