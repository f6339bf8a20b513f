//! Projects: one application or client each. Table `projects`; permissions `view:projects`, `manage:projects`.

pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
