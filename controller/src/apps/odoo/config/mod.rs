//! An instance's odoo.conf: what is set, what follows from it, how it came about. Table `instance_configs`, and the
//! settings in `instances.spec`; permissions `view:instances`, `manage:instances`.

pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
