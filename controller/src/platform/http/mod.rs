//! The conventions of the API: who asks, what they may, and how bodies, lists and answers look.

pub mod answer;
pub mod body;
pub mod cors;
pub mod ctx;
pub mod describe;
pub mod guard;
pub mod idempotency;
pub mod json;
pub mod layers;
pub mod limit;
pub mod listener;
pub mod names;
pub mod page;
pub mod patch;
pub mod permissions;
pub mod query;
pub mod streams;
pub mod surface;

pub use answer::{Accepted, Changed, HasVersion, Versioned};
pub use body::{Body, Params, Path};
pub use ctx::{Actor, Caller, Ctx, IfMatch, Place, Principal, Reach};
pub use guard::{admin, guard, owner, public, user};
pub use page::{AnyOf, List, Page};
pub use patch::{Patch, PatchFields};
pub use permissions::{Permission, PermissionSet};
pub use query::{DryRun, Queue, default_true};
