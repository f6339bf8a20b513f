//! Webhooks: what happens in an organization, told to addresses that it gives, signed, again and again until it has
//! come through. Tables `webhook_endpoints`, `webhook_deliveries`, `webhook_attempts`; permissions `view:webhooks`,
//! `manage:webhooks`, both in the whole organization, since that is what events tell of.

pub mod deliveries;
pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
pub mod tests;
