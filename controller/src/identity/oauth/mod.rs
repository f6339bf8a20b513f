//! Signing in with an account elsewhere: GitHub, Google, or any issuer with OpenID Connect discovery, as the platform's
//! settings name them. Table `connected_accounts`. No permissions: each person has their own.
//!
//! A link is made by who is signed in here, or together with a new account; an account here is never taken over because
//! somebody elsewhere vouches for its address.

#[cfg(test)]
mod issuer_for_tests;
pub mod model;
mod provider;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
