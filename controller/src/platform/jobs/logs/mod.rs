//! What jobs have said. Table `job_logs`.

pub mod store;
