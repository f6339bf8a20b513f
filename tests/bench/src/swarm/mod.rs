//! Many agents in one process. They speak the real protocol over real TLS with a certificate each, and write what they
//! must not forget to one shared file with real syncs; what they leave out is the host behind them (Docker, `/proc`).

mod disk;
mod enroll;
mod member;
mod routes;

use crate::backoff::Backoff;
use disk::Disk;
use futures::{StreamExt, stream};
use member::Member;
use ocore_tests::client::Client;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use routes::facts;

/// Enrolments under way at once.
const PARALLEL: usize = 16;

pub struct Swarm {
    members: Vec<Arc<Member>>,
    /// False: nobody is connected, and nobody tries.
    open: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Swarm {
    /// Register and enrol `count` servers, and connect them.
    pub async fn enroll(client: &Client, agents_port: u16, directory: &Path, count: usize) -> Self {
        let disk = Disk::open(&directory.join("swarm.journal"));
        let numbers = stream::iter(0..count);
        let members: Vec<Arc<Member>> = numbers
            .map(|number| enroll::member(client, agents_port, disk.clone(), number))
            .buffer_unordered(PARALLEL)
            .map(Arc::new)
            .collect()
            .await;
        let open = watch::Sender::new(true);
        let mut tasks = JoinSet::new();
        for member in &members {
            tasks.spawn(keep_connected(member.clone(), open.subscribe()));
        }
        Self { members, open, _tasks: tasks }
    }

    pub fn servers(&self) -> Vec<String> {
        self.members.iter().map(|m| m.server.to_string()).collect()
    }

    /// Hang up, and stay away.
    pub fn leave(&self) {
        self.open.send_replace(false);
    }

    /// Connect again.
    pub fn come(&self) {
        self.open.send_replace(true);
    }
}

/// As the agent's connector does: one tunnel, dialled again with jitter.
async fn keep_connected(member: Arc<Member>, mut open: watch::Receiver<bool>) {
    let mut backoff = Backoff::default();
    while open.wait_for(|open| *open).await.is_ok() {
        let lived = tokio::select! {
            lived = member.link() => lived,
            closed = open.wait_for(|open| !*open) => match closed {
                // Whoever is called back comes after the first, short delay.
                Ok(_) => { backoff = Backoff::default(); Some(Duration::ZERO) }
                Err(_) => return,
            },
        };
        if lived.is_some() {
            backoff = Backoff::default();
        }
        tokio::time::sleep(backoff.next()).await;
    }
}
