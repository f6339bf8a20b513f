//! Why an operation failed, in words for the person who asked for it.

use serde::{Deserialize, Serialize};

/// An operation's failure. `message` says what to do; `code` is stable.
#[derive(Clone, Debug, thiserror::Error, Serialize, Deserialize)]
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

    /// The same with one more sentence. Where the message ends with lines of a log, it stands on its own line.
    pub fn and(self, sentence: impl std::fmt::Display) -> Self {
        let gap = match self.message.trim_end() {
            text if text.contains('\n') => "\n",
            text if text.ends_with(['.', '!', '?', ':']) => " ",
            _ => ". ",
        };
        Self { message: format!("{}{gap}{sentence}", self.message), ..self }
    }
}
