//! Where backups are kept. Table `backup_destinations`; permissions `view:backups`, `manage:backups`.

pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
mod work;
