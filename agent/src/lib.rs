//! oCore's agent: a small HTTP API on a managed server that only its controller can reach, and the engine that carries
//! out what it is asked to do. A library, so that a bench can run thousands of them in one process.

pub mod app;
pub mod chunks;
pub mod config;
pub mod connection;
pub mod engine;
pub mod enroll;
pub mod events;
pub mod fd_store;
pub mod files;
pub mod host;
pub mod identity;
pub mod inspect;
pub mod instance_metrics;
pub mod journal;
pub mod launcher;
pub mod logs;
pub mod metrics;
pub mod ops;
pub mod policy;
pub mod routes;
pub mod state;
pub mod status;
pub mod terminals;
pub mod tls;
