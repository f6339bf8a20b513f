//! The queue of all organizations and of the controller itself, for the platform's administrator. Table `jobs`.

pub mod model;
pub mod routes;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
