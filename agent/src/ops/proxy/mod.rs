//! The server's reverse proxy: one Caddy container in front of the instances that have names of their own. What it is to
//! serve is pushed whole by the controller and kept in a file; what each Odoo wants of it is known here.

mod apply;
mod caddy;
mod certificates;
mod check;
mod container;
mod external;
mod files;
mod issue;
mod keeper;

pub use apply::{follow, proxy_apply};
pub use certificates::proxy_state;
pub use container::join;
pub use external::name_check;
pub use files::ProxyFiles;
pub use issue::certificate_issue;
pub use keeper::run as keep;

use crate::ops::odoo::record::{Record, Records};
use ocore_shared::ids::InstanceId;
use ocore_shared::odoo::conf::{self, HTTP_PORT, REALTIME_PORT};
use ocore_shared::odoo::series::Series;
use ocore_shared::protocol::proxy::Site;
use std::collections::BTreeMap;

/// The network that the proxy and the instances behind it share.
pub const NETWORK: &str = "ocore-proxy";
/// The proxy's container.
pub const CONTAINER: &str = "ocore-proxy";
/// Certificates and the account at their authority: lost, they would have to be asked for again.
pub const VOLUME: &str = "ocore-proxy-data";

/// Under which name the proxy finds an instance's Odoo.
pub fn alias(instance: InstanceId) -> String {
    format!("odoo-{instance}")
}

/// What one Odoo wants of a proxy. How long a request may take is Odoo's own business: another limit there is no reason to
/// give the proxy, and all the names that it serves, another configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// `name:port`.
    pub http: String,
    /// Path and `name:port` of the live bus, where it has a port of its own.
    pub realtime: Option<(String, String)>,
}

impl Upstream {
    fn of(record: &Record) -> Self {
        let spec = &record.spec;
        let name = alias(spec.instance_id);
        let sized = conf::sizing(spec);
        let realtime = Series::of(&spec.odoo_version)
            .filter(|_| sized.workers > 0)
            .map(|series| (series.realtime.path().to_owned(), format!("{name}:{REALTIME_PORT}")));
        Self { http: format!("{name}:{HTTP_PORT}"), realtime }
    }
}

/// Of the instances that these sites lead to and that are on this server.
fn upstreams(records: &Records, sites: &[Site]) -> BTreeMap<InstanceId, Upstream> {
    let found = |site: &Site| Some((site.instance_id, Upstream::of(&records.find(site.instance_id)?)));
    sites.iter().filter_map(found).collect()
}

#[cfg(test)]
pub mod tests {
    pub use super::certificates::{certificate_shown as shown, connect};
}
