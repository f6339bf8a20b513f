//! Logs of instances: followed live, paged back, searched, downloaded, and kept when a container is made anew.
//!
//! The log of a container belongs to Docker and ends with it; before that it is copied to `spool/<instance>/`. What
//! people read goes over all of them: the archived ones, oldest first, then the one that lives.

mod archive;
mod cursor;
mod download;
mod history;
mod hub;
mod source;
#[cfg(test)]
mod tests;
mod viewer;

pub use download::DownloadForm;
pub use history::HistoryQuery;
pub use hub::LogHub;
pub use source::live_container;
pub use viewer::From;
