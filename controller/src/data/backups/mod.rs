//! Backups of instances: made, shown, put back, deleted. An agent moves them; here it is known what there is.

pub mod jobs;
pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
