//! Invitations by mail. Table `invitations`; permissions `view:members`, `manage:members`.

pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
