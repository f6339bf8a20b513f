//! Signing in and out, and making the first admin. Tables `sessions`, `attempt_buckets`, `websocket_tickets`, of `users`
//! the passwords, of `settings` the bootstrap token. No permissions: these routes are where credentials come from.

#[cfg(test)]
mod enumeration_tests;
pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
