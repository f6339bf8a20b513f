//! The agents that are connected, wherever their tunnels are. Tables `agent_sessions`, `replicas`; only read.

pub mod model;
pub mod routes;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
