//! Who belongs to an organization, and what each may do. Tables `memberships`, `grants` (of people), `member_overrides`;
//! permissions `view:members`, `manage:members`.

#[cfg(test)]
mod escalation_tests;
pub mod model;
pub mod overrides;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
pub mod tests;
