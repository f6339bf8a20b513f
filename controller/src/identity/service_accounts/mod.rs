//! Principals that are no people; their keys outlive people. Tables `service_accounts`, `grants` (of them); permissions
//! `view:api-keys`, `manage:api-keys`.

pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
