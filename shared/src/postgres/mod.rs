//! What both ends know of PostgreSQL: which of its settings a person may change, and which values fit a machine. Pure
//! functions: the controller refuses exactly what the agent would.

pub mod settings;
pub mod tuning;
