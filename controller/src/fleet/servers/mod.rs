//! Servers. Tables `servers`, `server_containers`; permissions view:servers, manage:servers.

pub mod jobs;
pub mod model;
pub mod routes;
pub mod service;
pub mod store;
