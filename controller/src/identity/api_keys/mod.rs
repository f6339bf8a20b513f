//! API keys: credentials of programs, each of one organization, with permissions and a scope of its own. Table
//! `api_keys`; permissions `view:api-keys`, `manage:api-keys`. Only a hash is stored; the key is shown once.

pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
