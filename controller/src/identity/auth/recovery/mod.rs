//! The way back in for who has forgotten a password, and the links that are mailed for it. Table `mailed_tokens`.

pub mod jobs;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
