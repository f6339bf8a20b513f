//! Passkeys (WebAuthn): keys in a device that sign in without a password, or stand in as the second factor after one.
//! Table `passkeys`. No permissions: each person has their own.
//!
//! A device always asks its owner for a finger, a face or a PIN, so a passkey counts as two factors. It answers only on
//! the host that it was made on, which is one of the controller's public addresses, or localhost.

#[cfg(test)]
mod device;
pub mod model;
pub mod routes;
pub mod service;
mod site;
pub mod store;
#[cfg(test)]
mod tests;
