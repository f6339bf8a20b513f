//! Helpers of tests; the application over a database of its own.
