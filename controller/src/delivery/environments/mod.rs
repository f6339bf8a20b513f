//! Environments: production, staging and development of a project. Table `environments`; permissions `view:projects`,
//! `manage:projects`.

pub mod model;
pub mod routes;
pub mod service;
pub mod store;
