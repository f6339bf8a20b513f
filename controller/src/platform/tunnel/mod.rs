//! Tunnels of the agents that are connected to this replica. The newest authenticated connection of a server wins.

pub mod accept;

use crate::error::{Error, Result};
use dashmap::DashMap;
use ocore_shared::ids::{OrganizationId, ServerId};
use ocore_shared::tunnel::TunnelClient;
use std::net::IpAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// One live tunnel.
pub struct Tunnel {
    pub server: ServerId,
    pub organization: OrganizationId,
    /// Where the agent connects from.
    pub address: IpAddr,
    /// From a database sequence; a higher one fences this one.
    pub epoch: i64,
    /// Serial of the client certificate, for revocation.
    pub serial: String,
    pub client: TunnelClient,
    /// Ends the tunnel.
    pub end: CancellationToken,
}

#[derive(Default)]
pub struct Tunnels(DashMap<ServerId, Arc<Tunnel>>);

impl Tunnels {
    /// The tunnel of a server, or a sentence that says that it is offline.
    pub fn get(&self, server: ServerId) -> Result<Arc<Tunnel>> {
        let tunnel = self.0.get(&server).map(|t| t.clone()).filter(|t| !t.client.is_closed());
        tunnel.ok_or_else(|| Error::AgentOffline {
            message: "The server is offline: its agent has no connection to this controller. Check that the machine \
                      runs and that `systemctl status ocore-agent` is active there."
                .into(),
        })
    }

    /// Take a new tunnel in and end the older one. False: a newer one is here already.
    pub fn insert(&self, tunnel: Arc<Tunnel>) -> bool {
        use dashmap::mapref::entry::Entry;
        match self.0.entry(tunnel.server) {
            Entry::Occupied(entry) if entry.get().epoch > tunnel.epoch => false,
            Entry::Occupied(mut entry) => {
                entry.insert(tunnel).end.cancel();
                true
            }
            Entry::Vacant(entry) => {
                entry.insert(tunnel);
                true
            }
        }
    }

    /// Forget a tunnel that has ended. False: a newer one has taken its place.
    pub fn remove(&self, tunnel: &Tunnel) -> bool {
        self.0.remove_if(&tunnel.server, |_, there| there.epoch == tunnel.epoch).is_some()
    }

    /// Servers whose tunnels are here.
    pub fn servers(&self) -> Vec<Uuid> {
        self.0.iter().map(|entry| entry.key().0).collect()
    }

    /// All of them, with the serials of their certificates.
    pub fn all(&self) -> Vec<Arc<Tunnel>> {
        self.0.iter().map(|entry| entry.value().clone()).collect()
    }

    /// End the tunnel of a server, if it is here.
    pub fn end(&self, server: ServerId) {
        if let Some(tunnel) = self.0.get(&server) {
            tunnel.end.cancel();
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
