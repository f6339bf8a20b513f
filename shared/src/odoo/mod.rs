//! What both ends know of Odoo: how its series differ, what can be set, how it is sized, and odoo.conf itself. Pure
//! functions: the controller shows exactly what the agent writes.

pub mod conf;
pub mod series;
pub mod settings;
pub mod sizing;
