//! What is done with an Odoo inside its instance.

pub mod addons;
pub mod config;
pub mod modules;
