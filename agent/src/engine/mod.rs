//! The job engine: what `PUT /jobs/{id}` accepted is written to the journal before its first side effect, runs step by
//! step, and goes on after a kill at the step where it was.

mod context;
mod error;

pub use context::JobContext;
pub use error::OpError;
