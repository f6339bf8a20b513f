//! Names to which a proxy of somebody's own leads.

use super::store::Reach;
use crate::app::App;
use crate::apps::instances::logs::encode;
use crate::platform::outbound::is_public;
use http::Method;
use ocore_shared::ids::{InstanceId, ServerId};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// For all that a server asks of a name.
const ANSWER: Duration = Duration::from_secs(30);

/// A name, and the server of its instance.
pub struct Way<'a> {
    pub host: &'a str,
    pub instance: InstanceId,
    pub server: ServerId,
    /// Of the server.
    pub addresses: &'a [IpAddr],
    /// Where the proxy answers with HTTPS.
    pub port: u16,
}

/// Have a server ask for a name as people do, through somebody's own proxy. None: it does not answer now.
pub async fn name_reach(app: &App, way: &Way<'_>) -> Option<Reach> {
    let &Way { host, instance, server, addresses, port } = way;
    let tunnel = app.tunnels.get(server).ok()?;
    // Nobody has a server look into its own network by a name that leads there.
    let found = app.dns.lookup(host).await.unwrap_or_default().addresses;
    let address = found.iter().find(|address| addresses.contains(address) || is_public(**address));
    let query = encode(&[
        ("host", Some(host.to_owned())),
        ("address", address.map(IpAddr::to_string)),
        ("port", Some(port.to_string())),
        ("instance_id", Some(instance.to_string())),
    ]);
    let answer = tunnel.client.call(Method::GET, &format!("/proxy/name?{query}"), &(), ANSWER).await;
    match answer {
        Ok((_, check)) => Some(Reach { check, checked_at: app.clock.now() }),
        Err(error) => {
            tracing::debug!(%server, %error, "a server did not ask for a name; it is asked again");
            None
        }
    }
}

/// Where a proxy of one's own on the same server finds what is published on that address.
pub fn upstream(bind_address: &str, port: u16) -> String {
    match bind_address.parse::<IpAddr>() {
        Ok(address) if !address.is_unspecified() => SocketAddr::new(address, port).to_string(),
        _ => format!("127.0.0.1:{port}"),
    }
}
