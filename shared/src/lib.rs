//! The contract between controller and agent: ids, the tunnel, the protocol's bodies, what both know of Odoo and of PostgreSQL, secrets and
//! time.
//!
//! Nothing here does I/O of its own besides moving the tunnel's bytes and, with the feature `storage`, those of backups.

pub mod clock;
pub mod ids;
pub mod logs;
pub mod machine;
pub mod odoo;
pub mod postgres;
pub mod protocol;
pub mod secret;
#[cfg(feature = "storage")]
pub mod storage;
pub mod tunnel;
