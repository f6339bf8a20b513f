//! Where a person is signed in, and their sign-ins so far. Tables `sessions`, `login_history`; no permission, but a
//! person, never a key.

pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
