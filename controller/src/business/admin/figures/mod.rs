//! The figures of the administrator's dashboard.

pub mod model;
pub mod routes;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
