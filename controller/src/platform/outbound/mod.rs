//! The one client for addresses that users give: webhooks, repositories, registries. It reaches public addresses and
//! those networks that the operator allows by `--outbound-allow`, nothing else: every address is checked where it is
//! connected to, after its name was resolved, so that a name that changes its mind changes nothing.

mod addresses;
mod client;
#[cfg(test)]
pub mod tests;

pub use addresses::{Guard, is_public};
pub use client::{Lookup, Outbound, OutboundError, OutboundReply, OutboundRequest};
