//! The controller: keeps every intent and every fact in PostgreSQL and serves people and programs.

pub mod app;
pub mod apps;
pub mod business;
pub mod commands;
pub mod compat;
pub mod config;
pub mod console;
pub mod data;
pub mod delivery;
pub mod error;
pub mod fleet;
pub mod guide;
pub mod health;
pub mod identity;
pub mod network;
pub mod platform;
pub mod router;
pub mod serve;
pub mod signals;
#[cfg(test)]
pub mod testing;
pub mod work;
