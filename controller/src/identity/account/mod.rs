//! The signed-in person's own account. Table `users`; no permission, but a person, never a key.

mod closing;
pub mod credentials;
pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
