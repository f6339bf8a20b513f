//! People, as the platform's administrator sees them. Table `users`. Whatever takes an administrator's rights holds one
//! lock, so that of two who take each other's the last one keeps theirs.

pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
