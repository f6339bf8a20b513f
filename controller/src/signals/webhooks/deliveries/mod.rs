//! Deliveries: one event for one endpoint, from the moment that it is written down until it has come through or is
//! given up, with every attempt. Tables `webhook_deliveries`, `webhook_attempts`, kept 30 days.

pub mod attempt;
pub mod fan_out;
pub mod jobs;
pub mod model;
pub mod store;
#[cfg(test)]
mod tests;
