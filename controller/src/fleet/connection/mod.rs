//! The life of an agent's connection: who it is, who is fenced, what it says. Tables `agent_sessions`,
//! `server_identities`, the observed columns of `servers`, `server_containers`.

pub mod ingest;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
