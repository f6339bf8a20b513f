//! Mail: written into `mails` in the transaction of what it tells of, and handed to an SMTP server by a job. Without
//! such a server it is kept for the administrator, who passes its link on by other means. Table `mails`.

pub mod jobs;
pub mod model;
pub mod routes;
pub mod service;
pub mod store;
#[cfg(test)]
pub mod tests;
mod transport;

pub use transport::{MailTransport, Refusal};
