//! Terminals: a browser's WebSocket joined to a terminal on an agent. The terminal outlives the WebSocket, so that a
//! reload or a restart of the controller attaches again and misses nothing. Permissions terminal:servers and
//! console:instances.

pub mod bridge;
pub mod routes;
pub mod service;
#[cfg(test)]
mod tests;
