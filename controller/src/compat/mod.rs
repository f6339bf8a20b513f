//! The second surface, `/v1`: a table over the operations of `/api`. A row says which operation answers, under which
//! names its fields go in and out, and nothing else: every rule, permission and query is the canonical one's.

mod answers;
mod document;
mod fields;
pub mod routes;
mod row;
#[cfg(test)]
mod tests;
mod v1;

pub use document::document;
