//! Samples of what instances use. Tables `instance_metrics_raw` (8 days), `instance_metrics_1m` (32 days),
//! `instance_metrics_1h` (400 days), a partition a day, written and averaged along with those of servers.

pub mod routes;
pub mod service;
pub mod store;
