//! Signing in and out, and making the first admin. Tables `sessions`, `login_history`, `attempt_buckets`, `websocket_tickets`, of `users`
//! the passwords, of `settings` the bootstrap token. No permissions: these routes are where credentials come from.

mod bootstrap;
#[cfg(test)]
mod enumeration_tests;
pub mod model;
pub mod recovery;
pub mod refusal;
pub mod routes;
pub mod service;
pub mod signup;
pub mod store;
#[cfg(test)]
mod tests;
