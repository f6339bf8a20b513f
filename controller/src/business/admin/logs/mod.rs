//! The controller's own log: how much it says, changed while it runs, and for how long logs of jobs and events are kept.
//! One key of table `settings`; every replica looks at it every few seconds.

pub mod model;
pub mod routes;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
