//! Public keys that a person signs in to servers with. Table `ssh_keys`; no permission, but a person, never a key of the
//! API.

pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
