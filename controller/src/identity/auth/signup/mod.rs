//! Making an account for oneself, as far as the platform's settings allow it. Table `signups`: accounts that wait for
//! their address to be confirmed.

pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
