//! Sources of addons and upgrades: what an instance's Odoo is made of. It is in the instance's row (`spec`), as its agent
//! last said it; credentials are among the instance's secrets as `git.NAME`. Permissions: `view:instances`,
//! `manage:instances`.

pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
