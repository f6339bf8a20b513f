//! By which addresses people and agents reach this controller, derived from its public ones.

use crate::config::Config;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// What was given, the configuration first, else nothing.
fn urls<'a>(config: &'a Config, given: &'a [String]) -> &'a [String] {
    if config.public_url.is_empty() { given } else { &config.public_url }
}

/// Hosts of the public addresses, else this machine's own address.
fn hosts(config: &Config, given: &[String]) -> Vec<String> {
    let hosts: Vec<String> = urls(config, given).iter().filter_map(|url| host_of(url)).collect();
    if hosts.is_empty() { own_address().map(|a| a.to_string()).into_iter().collect() } else { hosts }
}

/// `host:port` of the agents' port, in the order to try. `given` are the stored public addresses.
pub fn agents(config: &Config, given: &[String]) -> Vec<String> {
    if !config.agents_address.is_empty() {
        return config.agents_address.clone();
    }
    hosts(config, given).iter().map(|host| join(host, config.agents_listen.port())).collect()
}

/// Addresses of the console, the best first. `given` are the stored public addresses.
pub fn people(config: &Config, given: &[String]) -> Vec<String> {
    let urls = urls(config, given);
    if !urls.is_empty() {
        return urls.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
    }
    let port = config.listen.port();
    let public = own_address().filter(|_| !config.listen.ip().is_loopback());
    let https = public.map(|a| format!("https://{}", join(&a.to_string(), port)));
    https.into_iter().chain([format!("http://127.0.0.1:{port}")]).collect()
}

/// Names that people's own certificate must carry.
pub fn certificate_hosts(config: &Config, given: &[String]) -> Vec<String> {
    let mut names = hosts(config, given);
    names.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]);
    names.dedup();
    names
}

/// `host:port`, with brackets where the host is an IPv6 address.
pub fn join(host: &str, port: u16) -> String {
    match host.parse::<IpAddr>() {
        Ok(address) => SocketAddr::new(address, port).to_string(),
        Err(_) => format!("{host}:{port}"),
    }
}

/// The host of a URL such as `https://ocore.example.com:8080/x`.
pub fn host_of(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    uri.host().map(|host| host.trim_matches(['[', ']']).to_owned())
}

/// The address that this machine would send from. Nothing is sent: connecting a datagram socket only asks the routes.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    // An address reserved for documentation: any one beyond the local network does.
    socket.connect(("192.0.2.1", 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_in_urls() {
        assert_eq!(host_of("https://ocore.example.com:8080/"), Some("ocore.example.com".into()));
        assert_eq!(host_of("https://[2001:db8::1]:8080"), Some("2001:db8::1".into()));
        assert_eq!(join("2001:db8::1", 8443), "[2001:db8::1]:8443");
    }
}
