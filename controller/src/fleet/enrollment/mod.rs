//! How a machine becomes a server: one-line command, join token, certificate. Tables `join_tokens`, `server_identities`.
//!
//! These routes are on the agents' port and are the only ones there that need no client certificate.

pub mod addresses;
pub mod releases;
pub mod routes;
pub mod service;
pub mod store;

#[cfg(test)]
mod tests;
