//! Looking names up, as the rest of the world sees them: nothing is remembered from one look to the next, and the
//! machine's own hosts file has no say.

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(4);
/// Of all questions for one name together.
const WHOLE: Duration = Duration::from_secs(10);

/// Where names are looked up.
#[derive(Clone, Debug)]
pub struct Dns {
    /// None: the system's resolvers, as they are at each look.
    server: Option<SocketAddr>,
}

/// What a name stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub addresses: Vec<IpAddr>,
    /// Names that it is another name for, in order.
    pub aliases: Vec<String>,
}

impl Dns {
    pub fn new(server: Option<SocketAddr>) -> Self {
        Self { server }
    }

    /// A and AAAA of a host, CNAMEs followed. A name that does not exist has none. The error is a sentence.
    pub async fn lookup(&self, host: &str) -> Result<Found, String> {
        let asked = tokio::time::timeout(WHOLE, self.ask(host)).await;
        asked.unwrap_or_else(|_| Err("The name servers do not answer.".into()))
    }

    async fn ask(&self, host: &str) -> Result<Found, String> {
        let resolver =
            self.resolver().map_err(|error| format!("The system's name servers cannot be used: {error}."))?;
        // With the dot at its end nobody appends the machine's own domain.
        let name = format!("{host}.");
        let (v4, v6) = tokio::join!(
            resolver.lookup(name.as_str(), RecordType::A),
            resolver.lookup(name.as_str(), RecordType::AAAA)
        );
        let mut found = Found::default();
        for answer in [v4, v6] {
            let lookup = match answer {
                Ok(lookup) => lookup,
                Err(error) if error.is_no_records_found() => continue,
                Err(error) => return Err(format!("The name servers do not tell: {error}.")),
            };
            for record in lookup.answers() {
                match &record.data {
                    RData::A(address) => found.addresses.push(address.0.into()),
                    RData::AAAA(address) => found.addresses.push(address.0.into()),
                    RData::CNAME(alias) => {
                        let alias = alias.0.to_utf8().trim_end_matches('.').to_lowercase();
                        if !found.aliases.contains(&alias) {
                            found.aliases.push(alias);
                        }
                    }
                    _ => {}
                }
            }
        }
        found.addresses.sort();
        found.addresses.dedup();
        Ok(found)
    }

    fn resolver(&self) -> Result<TokioResolver, NetError> {
        let mut builder = match self.server {
            None => TokioResolver::builder_tokio()?,
            Some(server) => {
                let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
                connections.iter_mut().for_each(|connection| connection.port = server.port());
                let server = NameServerConfig::new(server.ip(), true, connections);
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = PATIENCE;
        builder.build()
    }
}
