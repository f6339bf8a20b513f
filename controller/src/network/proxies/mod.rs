//! Proxies of servers: what leads people to the instances there, and the job that makes it so. Table `server_proxies`;
//! permissions `view:servers`, `manage:servers`.
//!
//! What a proxy is to serve is made of the rows of `server_proxies` and `domains`, always whole. After every change of
//! them [`wish::proxy_follow`] is called: it compares the wish with what the newest job was told, and enqueues one when
//! they differ. Of one server one such job is at work and at most one waits, which always has the newest wish.

pub mod jobs;
pub mod model;
pub mod routes;
pub mod service;
pub mod store;
pub mod wish;
