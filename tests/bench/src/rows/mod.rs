//! What is measured, one file per kind of set-up. Each gives rows; what could not be measured gives none.

pub mod agent;
pub mod api;
pub mod audit;
pub mod build;
pub mod console;
pub mod endurance;
pub mod files;
pub mod fleet;
pub mod flood;
pub mod history;
pub mod instance;
pub mod job;
pub mod provision;
