//! The audit log: every mutating service call writes its row in its own transaction. Table `audit_log`.

pub mod store;
