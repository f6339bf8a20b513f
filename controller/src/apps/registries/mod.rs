//! Registries that images come from. Table `registries`; permissions `view:credentials`, `manage:credentials`.

mod check;
pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
