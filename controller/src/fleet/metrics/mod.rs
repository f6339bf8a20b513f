//! Samples of servers. Tables `metrics_raw` (8 days), `metrics_1m` (32 days), `metrics_1h` (400 days), a partition a day.

pub mod routes;
pub mod service;
pub mod store;
