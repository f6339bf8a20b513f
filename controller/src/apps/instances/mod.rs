//! Odoo instances. Tables `instances`, `database_clusters`, `databases`; permissions view:instances, manage:instances,
//! console:instances.

pub mod creation;
pub mod health;
pub mod jobs;
pub mod log_hub;
pub mod log_routes;
pub mod logs;
pub mod metrics;
pub mod model;
pub mod observe;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
pub mod tests;
