//! The other end of a request: its address behind proxies, whether it is our own page, and the cookies it gets.

use crate::app::App;
use crate::config::Config;
use crate::platform::http::layers::REQUEST_ID;
use crate::platform::http::listener::Peer;
use crate::platform::http::surface::Surface;
use crate::platform::http::{Actor, Caller, Principal};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum_extra::extract::CookieJar;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const SESSION_COOKIE: &str = "ocore_session";
const REFRESH_COOKIE: &str = "ocore_refresh";
const REFRESH_PATH: &str = "/api/auth/refresh";
const LONGEST_USER_AGENT: usize = 256;
const FORWARDED: [&str; 4] = ["x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded"];

/// What is known of the other end without any credential.
#[derive(Clone, Debug)]
pub struct Client {
    pub request_id: String,
    pub address: Option<IpAddr>,
    pub https: bool,
    pub surface: Surface,
    pub user_agent: String,
    /// Tokens go into cookies, not into the body.
    pub wants_cookies: bool,
    /// The refresh token that the browser keeps.
    pub refresh_cookie: Option<String>,
    pub has_origin: bool,
    /// Origin, or else Referer, is an address of this controller.
    pub origin_is_ours: bool,
    /// On this very machine: no proxy between, and no page of another site behind it.
    pub is_local: bool,
}

/// The address of a request's other end, behind the proxies that are trusted.
pub fn address_of(config: &Config, request: &Request) -> Option<IpAddr> {
    client_address(config, request.extensions().get::<Peer>(), request.headers())
}

/// Whether the other end's browser speaks HTTPS, to us or to a trusted proxy.
pub fn is_https(config: &Config, request: &Request) -> bool {
    over_https(config, request.extensions().get::<Peer>(), request.headers())
}

fn over_https(config: &Config, peer: Option<&Peer>, headers: &HeaderMap) -> bool {
    let is_trusted = |p: &Peer| p.is_proxy || config.trusted_proxies.contains(&p.address.ip().to_canonical());
    let behind_proxy = peer.is_some_and(is_trusted);
    peer.is_some_and(|p| p.tls) || (behind_proxy && text(headers, "x-forwarded-proto") == Some("https"))
}

impl Client {
    pub fn of(config: &Config, parts: &Parts) -> Self {
        let headers = &parts.headers;
        let peer = parts.extensions.get::<Peer>();
        let https = over_https(config, peer, headers);
        let host = host(parts);
        let has_origin = headers.contains_key(header::ORIGIN);
        let origin_is_ours = origin(headers).is_some_and(|o| is_ours(config, &o, host.as_ref(), https));
        let host_is_local = host.as_ref().is_none_or(|h| is_loopback_name(h.host()));
        Self {
            request_id: text(headers, REQUEST_ID).unwrap_or_default().to_owned(),
            address: client_address(config, peer, headers),
            https,
            surface: Surface::of(parts),
            user_agent: text(headers, "user-agent").unwrap_or_default().chars().take(LONGEST_USER_AGENT).collect(),
            wants_cookies: text(headers, "x-session").is_some_and(|v| v.eq_ignore_ascii_case("cookie")),
            refresh_cookie: CookieJar::from_headers(headers).get(refresh_cookie(https)).map(|c| c.value().to_owned()),
            has_origin,
            origin_is_ours,
            is_local: peer.is_some_and(Peer::is_here)
                && !FORWARDED.iter().any(|name| headers.contains_key(*name))
                && host_is_local
                && (!has_origin || origin_is_ours),
        }
    }

    pub fn caller(&self, principal: Principal, actor: Actor) -> Caller {
        Caller {
            principal,
            actor,
            request_id: self.request_id.clone(),
            address: self.address,
            user_agent: Some(self.user_agent.clone()).filter(|text| !text.is_empty()),
            idempotency_claim: None,
        }
    }

    /// Both cookies of a session.
    pub fn cookies(&self, access: (&str, Duration), refresh: (&str, Duration)) -> Vec<HeaderValue> {
        [
            self.cookie(session_cookie(self.https), "/", access.0, access.1),
            self.cookie(refresh_cookie(self.https), REFRESH_PATH, refresh.0, refresh.1),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Makes the browser forget both.
    pub fn no_cookies(&self) -> Vec<HeaderValue> {
        self.cookies(("", Duration::ZERO), ("", Duration::ZERO))
    }

    /// None only for a value that no cookie can hold, which our tokens are not.
    fn cookie(&self, name: &str, path: &str, value: &str, life: Duration) -> Option<HeaderValue> {
        let secure = if self.https { "; Secure" } else { "" };
        let life = life.as_secs();
        let text = format!("{name}={value}; Path={path}; Max-Age={life}; HttpOnly; SameSite=Strict{secure}");
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl FromRequestParts<App> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self::of(&app.config, parts))
    }
}

/// The prefix makes browsers refuse the cookie from anything but HTTPS of this very host.
pub fn session_cookie(https: bool) -> &'static str {
    if https { "__Host-ocore_session" } else { SESSION_COOKIE }
}

fn refresh_cookie(https: bool) -> &'static str {
    if https { "__Secure-ocore_refresh" } else { REFRESH_COOKIE }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim)
}

/// The peer, or what trusted proxies say that was before them: the rightmost address that is no trusted proxy. What
/// cannot be read ends the chain there: whatever is left of it was written by whom that proxy did not know.
fn client_address(config: &Config, peer: Option<&Peer>, headers: &HeaderMap) -> Option<IpAddr> {
    let mut address = peer?.address.ip().to_canonical();
    let mut is_trusted = peer?.is_proxy;
    let lines: Vec<&[u8]> = headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes).collect();
    // As bytes: a line that a client began with nonsense is continued by the proxy all the same.
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
        if !is_trusted && !config.trusted_proxies.contains(&address) {
            break;
        }
        match forwarded_address(hop) {
            Some(before) => (address, is_trusted) = (before, false),
            None => break,
        }
    }
    Some(address)
}

/// One hop: an address, of IPv6 with or without brackets; some proxies add the port.
fn forwarded_address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let bare = hop.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse::<IpAddr>().or_else(|_| hop.parse::<SocketAddr>().map(|a| a.ip())).ok()?;
    Some(address.to_canonical())
}

fn host(parts: &Parts) -> Option<Authority> {
    match parts.headers.get(header::HOST) {
        Some(value) => value.to_str().ok()?.parse().ok(),
        None => parts.uri.authority().cloned(),
    }
}

fn origin(headers: &HeaderMap) -> Option<Uri> {
    let value = headers.get(header::ORIGIN).or_else(|| headers.get(header::REFERER))?;
    let uri: Uri = value.to_str().ok()?.parse().ok()?;
    uri.scheme().is_some().then_some(uri)
}

fn is_ours(config: &Config, origin: &Uri, host: Option<&Authority>, https: bool) -> bool {
    let Some(scheme @ ("http" | "https")) = origin.scheme_str() else { return false };
    let Some(address) = origin.authority().map(|a| place(a, scheme)) else { return false };
    let by_host = host.is_some_and(|h| place(h, scheme) == address) && (scheme == "https" || !https);
    by_host
        || config.public_url.iter().filter_map(|url| url.parse::<Uri>().ok()).any(|url| {
            let own = url.authority().map(|a| place(a, url.scheme_str().unwrap_or_default()));
            url.scheme_str() == Some(scheme) && own.as_ref() == Some(&address)
        })
}

/// Host and port, with the scheme's own port written out.
fn place(authority: &Authority, scheme: &str) -> (String, u16) {
    let port = authority.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    (authority.host().to_ascii_lowercase(), port)
}

fn is_loopback_name(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|a| a.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cli;
    use axum::http::Request;

    fn config(arguments: &[&str]) -> Config {
        let arguments = ["ocore-controller"].iter().chain(arguments).map(|a| (*a).into());
        Cli::read(arguments, |_| None).unwrap().config
    }

    fn client(config: &Config, peer: &str, tls: bool, headers: &[(&str, &str)]) -> Client {
        let mut request = Request::builder().method("POST").uri("/api/x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        parts.extensions.insert(Peer { address: peer.parse().unwrap(), tls, is_proxy: false, certificate: None });
        Client::of(config, &parts)
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let config = config(&["--trusted-proxies", "10.0.0.1,10.0.0.2"]);
        let address = |peer: &str, chain: &str| {
            client(&config, peer, false, &[("x-forwarded-for", chain)]).address.unwrap().to_string()
        };
        assert_eq!(address("192.0.2.7:1", "1.1.1.1"), "192.0.2.7");
        assert_eq!(address("10.0.0.1:1", "6.6.6.6, 192.0.2.7, 10.0.0.2"), "192.0.2.7");
        assert_eq!(address("10.0.0.1:1", "192.0.2.7, rubbish"), "10.0.0.1");
        assert_eq!(address("10.0.0.1:1", "192.0.2.7:4711"), "192.0.2.7");
        assert_eq!(address("[::ffff:10.0.0.1]:1", "192.0.2.7"), "192.0.2.7");
        assert!(client(&config, "10.0.0.1:1", false, &[("x-forwarded-proto", "https")]).https);
        assert!(!client(&config, "192.0.2.7:1", false, &[("x-forwarded-proto", "https")]).https);
    }

    #[test]
    fn the_proxy_of_this_machine_is_believed_and_is_not_somebody_on_it() {
        let headers =
            [("x-forwarded-for", "6.6.6.6, 192.0.2.7"), ("x-forwarded-proto", "https"), ("host", "localhost")];
        let mut parts = Request::builder().uri("/").body(()).unwrap().into_parts().0;
        for (name, value) in headers {
            parts.headers.insert(name, value.parse().unwrap());
        }
        parts.extensions.insert(Peer {
            address: "127.0.0.1:0".parse().unwrap(),
            tls: false,
            is_proxy: true,
            certificate: None,
        });
        let config = config(&[]);
        let known = Client::of(&config, &parts);
        assert_eq!((known.address.unwrap().to_string(), known.https), ("192.0.2.7".into(), true));
        FORWARDED.iter().for_each(|name| drop(parts.headers.remove(*name)));
        assert!(!Client::of(&config, &parts).is_local, "without a word of who asks, too");
    }

    #[test]
    fn odd_chains_lead_no_further_than_they_can_be_trusted() {
        let config = config(&["--trusted-proxies", "10.0.0.1,10.0.0.2,127.0.0.1"]);
        let address = |lines: &[&[u8]]| {
            let mut request = Request::builder().uri("/");
            for line in lines {
                request = request.header("x-forwarded-for", *line);
            }
            let mut parts = request.body(()).unwrap().into_parts().0;
            parts.extensions.insert(Peer {
                address: "10.0.0.1:1".parse().unwrap(),
                tls: false,
                is_proxy: false,
                certificate: None,
            });
            Client::of(&config, &parts).address.unwrap().to_string()
        };
        // Several lines are one list, in their order.
        assert_eq!(address(&[b"6.6.6.6", b"192.0.2.7", b"10.0.0.2"]), "192.0.2.7");
        // What a client wrote before the proxy's own word changes nothing, be it no text at all.
        assert_eq!(address(&[b"\xff\xfe, 192.0.2.7"]), "192.0.2.7");
        assert_eq!(address(&[b"127.0.0.1, 10.0.0.2, 192.0.2.7"]), "192.0.2.7");
        assert_eq!(address(&[b"127.0.0.1", b"\xff, 192.0.2.7"]), "192.0.2.7");
        assert_eq!(address(&[b",,, 192.0.2.7"]), "192.0.2.7");
        // The chain ends where it cannot be read; nothing before that is believed.
        for last in
            [&b"192.0.2.7, "[..], b"192.0.2.7, unknown", b"192.0.2.7, _hidden", b"192.0.2.7, 1.2.3", b"192.0.2.7, \xff"]
        {
            assert_eq!(address(&[last]), "10.0.0.1", "{}", String::from_utf8_lossy(last));
        }
        assert_eq!(address(&[]), "10.0.0.1");
        // Everybody in it is a proxy: the first of them.
        assert_eq!(address(&[b"10.0.0.2, 10.0.0.1"]), "10.0.0.2");
        for written in [&b"2001:db8::7"[..], b"[2001:db8::7]", b"[2001:db8::7]:4711"] {
            assert_eq!(address(&[written]), "2001:db8::7");
        }
        assert_eq!(address(&[b"::ffff:192.0.2.7"]), "192.0.2.7");
    }

    #[test]
    fn other_headers_of_proxies_name_nobody() {
        let config = config(&["--trusted-proxies", "10.0.0.1"]);
        for (name, value) in
            [("forwarded", "for=192.0.2.7;proto=https"), ("x-real-ip", "192.0.2.7"), ("x-client-ip", "192.0.2.7")]
        {
            let seen = client(&config, "10.0.0.1:1", false, &[(name, value)]);
            assert_eq!((seen.address.unwrap().to_string().as_str(), seen.https), ("10.0.0.1", false), "{name}");
        }
    }

    #[test]
    fn our_pages_are_told_from_others() {
        let config = config(&["--public-url", "https://ocore.example.com"]);
        let ours = |tls: bool, headers: &[(&str, &str)]| client(&config, "192.0.2.7:1", tls, headers).origin_is_ours;
        let host = ("host", "panel.test:8080");
        assert!(ours(true, &[host, ("origin", "https://panel.test:8080")]));
        assert!(ours(true, &[host, ("referer", "https://panel.test:8080/servers?x=1")]));
        assert!(ours(true, &[host, ("origin", "https://OCORE.example.com:443")]));
        assert!(!ours(true, &[host, ("origin", "http://panel.test:8080")]));
        assert!(!ours(true, &[host, ("origin", "https://panel.test")]));
        assert!(!ours(true, &[host, ("origin", "https://evil.test:8080")]));
        assert!(!ours(true, &[host, ("origin", "null")]));
        assert!(!ours(true, &[host, ("origin", "null"), ("referer", "https://panel.test:8080/")]));
        assert!(!ours(true, &[host]));
    }

    #[test]
    fn local_is_this_machine_and_no_page_of_another_site() {
        let config = config(&[]);
        let local = |peer: &str, headers: &[(&str, &str)]| client(&config, peer, false, headers).is_local;
        assert!(local("127.0.0.1:1", &[("host", "localhost:8080")]));
        assert!(local("[::1]:1", &[("host", "[::1]:8080"), ("origin", "http://[::1]:8080")]));
        assert!(!local("192.0.2.7:1", &[("host", "localhost:8080")]));
        assert!(!local("127.0.0.1:1", &[("host", "localhost"), ("x-forwarded-for", "127.0.0.1")]));
        assert!(!local("127.0.0.1:1", &[("host", "rebound.example.com:8080")]));
        assert!(!local("127.0.0.1:1", &[("host", "localhost:8080"), ("origin", "https://evil.test")]));
    }

    #[test]
    fn cookies_are_out_of_reach_of_scripts_and_other_sites() {
        let cookies = |tls: bool| -> Vec<String> {
            let client = client(&config(&[]), "192.0.2.7:1", tls, &[]);
            let life = Duration::from_secs(60);
            client.cookies(("a", life), ("r", life)).iter().map(|v| v.to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(cookies(false)[0], "ocore_session=a; Path=/; Max-Age=60; HttpOnly; SameSite=Strict");
        assert_eq!(
            cookies(true),
            [
                "__Host-ocore_session=a; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure",
                "__Secure-ocore_refresh=r; Path=/api/auth/refresh; Max-Age=60; HttpOnly; SameSite=Strict; Secure",
            ]
        );
    }
}
