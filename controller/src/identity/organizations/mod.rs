//! Organizations: the walls between customers. Tables `organizations`, `organization_slugs`, `memberships`; permissions
//! `view:org`, `manage:org`.

pub mod model;
pub mod routes;
pub mod service;
pub mod store;
