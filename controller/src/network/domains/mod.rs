//! Domains: names that lead to an instance, checked in the DNS, with certificates that the proxy of its server fetches or a
//! person uploads. Table `domains`; permissions `view:domains`, `manage:domains`.
//!
//! A name begins as `pending_dns`. Once its DNS leads to the server it is `issuing`: the proxy serves it (`proxy_apply`),
//! then fetches its certificate (`certificate_issue`), and with that it is `active`. An instance that has been reached by a
//! name once is made for the proxy from then on (`has_proxy`, `public_host` of its spec, by `instance_update`).
//!
//! Where somebody's own proxy leads people, a name is `active` once it is verified, and its server asks for it as people do
//! (`reach`).

pub mod access;
pub mod certificate;
pub mod certificates;
pub mod follow;
pub mod jobs;
pub mod model;
pub mod names;
pub mod reach;
pub mod routes;
pub mod service;
pub mod snippets;
pub mod store;
#[cfg(test)]
pub mod tests;
pub mod watch;
