//! Odoo's modules and its administrator's password. No table of their own: they are in Odoo's database, on the server.

pub mod routes;
pub mod service;
#[cfg(test)]
mod tests;
