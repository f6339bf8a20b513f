//! Organizations, as the platform's administrator sees them. Tables `organizations` and what belongs to them; only read.

pub mod model;
pub mod routes;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
