//! The PostgreSQL of an instance: looked at, set, maintained, and the databases beside the instance's own. What is there
//! is read from the server when it is asked for; what a person has set is in `instances.spec`, the role's password in
//! `secrets`. Permissions `view:databases`, `manage:databases`.

pub mod jobs;
pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
