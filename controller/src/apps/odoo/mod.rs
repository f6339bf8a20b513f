//! What is done with an Odoo inside its instance.

pub mod config;
pub mod modules;
