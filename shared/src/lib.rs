//! The contract between controller and agent: ids, the tunnel, the protocol's bodies, secrets and time.
//!
//! Nothing here does I/O of its own besides moving the tunnel's bytes.

pub mod clock;
pub mod ids;
pub mod logs;
pub mod protocol;
pub mod secret;
pub mod tunnel;
