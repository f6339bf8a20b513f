//! Whether instances are well, how well, and how long they were. Tables `instance_health` (one row an instance),
//! `instance_health_spans` (91 days); permission view:instances.

pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
