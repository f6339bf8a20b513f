//! Notices: what needs a look without anybody having written a rule for it. Each is raised once per subject while it
//! holds, shown in the console, sent as an event (and so by webhooks), and mailed to those members who may see the
//! subject and have not muted its kind. Tables `notices`, `users.muted_notices`.

pub mod conditions;
pub mod mail;
pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
mod tests;
pub mod watch;
