//! Which job kinds this agent carries out, and how.

use super::{JobContext, OpError};
use std::collections::BTreeMap;
use std::pin::Pin;

pub type JobFuture = Pin<Box<dyn Future<Output = Result<serde_json::Value, OpError>> + Send>>;

/// Carries out one kind of job. May be cut anywhere and run again: everything with an effect happens in
/// [`JobContext::step`].
pub trait JobHandler: Send + Sync {
    fn kind(&self) -> &'static str;
    fn run(&self, ctx: JobContext) -> JobFuture;
}

/// All kinds, by name.
#[derive(Default)]
pub struct Registry(BTreeMap<&'static str, Box<dyn JobHandler>>);

impl Registry {
    pub fn new() -> Self {
        Self::default()
    }

    /// Carry out jobs of `kind` with `run`.
    pub fn add(&mut self, kind: &'static str, run: impl Fn(JobContext) -> JobFuture + Send + Sync + 'static) {
        self.add_handler(FnHandler { kind, run });
    }

    pub fn add_handler(&mut self, handler: impl JobHandler + 'static) {
        self.0.insert(handler.kind(), Box::new(handler));
    }

    pub fn get(&self, kind: &str) -> Option<&dyn JobHandler> {
        self.0.get(kind).map(|h| h.as_ref())
    }

    pub fn kinds(&self) -> Vec<String> {
        self.0.keys().map(|k| k.to_string()).collect()
    }
}

struct FnHandler<F> {
    kind: &'static str,
    run: F,
}

impl<F: Fn(JobContext) -> JobFuture + Send + Sync> JobHandler for FnHandler<F> {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn run(&self, ctx: JobContext) -> JobFuture {
        (self.run)(ctx)
    }
}
