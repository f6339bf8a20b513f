//! Codes of an authenticator app (TOTP, RFC 6238) and recovery codes: the second factor after a password. Tables
//! `totp_secrets` and `recovery_codes`, of `sessions` the mark of a second factor, of `attempt_buckets` those that begin
//! with `mfa:`. No permissions: each person has their own.

pub mod model;
#[cfg(test)]
mod requirement_tests;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
pub mod tests;
