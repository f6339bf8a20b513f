//! Roles: named sets of permissions that are granted in a scope. Tables `roles`, `grants`; permissions `view:roles`,
//! `manage:roles`. Every organization starts with the four system roles, which nobody edits.

pub mod grants;
pub mod model;
pub mod routes;
pub mod service;
pub mod store;
