//! Events: `noun.past`, the same in the live stream, webhooks and activity lists. Table `events`, kept 7 days.
//! Permission: each caller sees its organization's.

pub mod catalogue;
pub mod model;
pub mod readers;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;

pub use model::{Event, Subject};
