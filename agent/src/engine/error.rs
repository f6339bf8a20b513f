//! Why an operation failed, in words for the person who asked for it.

/// An operation's failure. `message` says what to do; `code` is stable.
#[derive(Debug, thiserror::Error)]
#[error("{message} ({code})")]
pub struct OpError {
    pub code: String,
    pub message: String,
    /// Whether the same job may succeed when tried again unchanged.
    pub retryable: bool,
}

impl OpError {
    /// A failure that the same job would meet again.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), retryable: false }
    }

    /// A failure that may pass by itself.
    pub fn retryable(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), retryable: true }
    }

    /// The job was cancelled, or the agent is stopping.
    pub fn cancelled() -> Self {
        Self::new("cancelled", "The job was cancelled.")
    }
}
