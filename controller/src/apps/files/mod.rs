//! Files on servers, as their agents give and take them: listed, read, changed, fetched and brought, at once or in parts.
//! Nothing of them is kept here; what is changed or leaves the house is an entry in the audit log. Permission
//! `files:instances`.

pub mod errors;
pub mod model;
pub mod routes;
pub mod service;
#[cfg(test)]
pub mod tests;
pub mod transfers;
pub mod tus;
pub mod tus_routes;
