//! What the rows know of tunnels, joined with what this process knows of its own.

use super::model::{AgentFilter, ConnectedAgent, TunnelStats};
use super::store;
use crate::app::App;
use crate::error::Result;
use crate::platform::http::{List, Page};

pub async fn agent_list(app: &App, filter: &AgentFilter<'_>, page: &Page) -> Result<List<ConnectedAgent>> {
    let mut agents = store::agent_list(app.db.system(), filter, page).await?;
    for agent in agents.iter_mut().filter(|agent| agent.replica_id == app.replica) {
        let tunnel = app.tunnels.get(agent.server_id).ok().filter(|tunnel| tunnel.epoch == agent.epoch);
        agent.streams = tunnel.map(|tunnel| tunnel.client.open_streams());
    }
    Ok(List::new(agents, page, |agent| agent.server_id.0))
}

pub async fn tunnel_stats(app: &App) -> Result<TunnelStats> {
    let sums = store::tunnel_sums(app.db.system()).await?;
    Ok(TunnelStats {
        connected: sums.connected,
        disconnected: sums.disconnected,
        streams: app.tunnels.all().iter().map(|tunnel| tunnel.client.open_streams()).sum(),
        oldest_connection: sums.oldest,
        newest_connection: sums.newest,
        replicas: store::replica_list(app.db.system()).await?,
    })
}
