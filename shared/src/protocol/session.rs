//! The first request inside a new tunnel: who fences whom.

use crate::ids::JournalId;
use serde::{Deserialize, Serialize};

/// Body of `POST /session`, sent by the controller before anything else.
#[derive(Debug, Serialize, Deserialize)]
pub struct SessionOpen {
    /// From a database sequence. The agent stores it; a lower one than stored is refused with 409.
    pub session_epoch: i64,
    /// The join state to confirm in the answer (two phases: offered now, confirmed by the answer).
    pub offered_join_state: String,
    /// `host:port` addresses of the agents' port as configured now.
    pub controllers: Vec<String>,
    pub controller_version: String,
}

/// The agent's answer, after it has stored epoch and join state durably.
#[derive(Debug, Serialize, Deserialize)]
pub struct SessionOpened {
    /// The epoch that the agent had stored before this one; higher than the database's means the database went back.
    pub previous_epoch: i64,
    /// The join state that the agent had confirmed before this offer; empty on the first connect.
    pub previous_join_state: String,
    pub journal_id: JournalId,
    /// Highest durable sequence in the journal.
    pub last_seq: u64,
    pub agent_version: String,
    /// Names of what this agent can do beyond the base protocol, e.g. `terminals.survive_restart`.
    pub features: Vec<String>,
    /// Job kinds that this agent carries out.
    pub job_kinds: Vec<String>,
}
