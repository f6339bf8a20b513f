//! Settings of the platform: who may sign up, how mail is sent, who else vouches for people, where webhooks may go.
//! Table `settings`, one key per group; its secrets are in `secrets`. Only the platform's administrator.

pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
