//! One request to an address that somebody gave.

use super::addresses::Guard;
use crate::config::Config;
use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use ipnetwork::IpNetwork;
use ocore_shared::storage::{Resolve, StorageError};
use reqwest::dns::{Addrs, Name, Resolve as ResolveName, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use std::error::Error as StdError;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

const CONNECT_TIME: Duration = Duration::from_secs(5);
/// A connection is not kept for longer, so that nobody's name counts for longer than that.
const IDLE: Duration = Duration::from_secs(15);
const LONGEST_URL: usize = 2048;
/// What only the host that it was meant for may see.
const PRIVATE: [HeaderName; 3] = [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION];

/// What is asked.
#[derive(Clone, Debug)]
pub struct OutboundRequest {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// How many redirects are followed; what comes after them is the answer.
    pub redirects: usize,
    /// Bytes of the answer that are read.
    pub most: usize,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct OutboundReply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// False: there was more than was asked for.
    pub is_whole: bool,
}

/// Why there is no answer, in sentences for who gave the address. They do not tell what a name resolves to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    #[error("{0}")]
    Url(&'static str),
    #[error(
        "This address may not be called: its host is a private or reserved one. The operator opens networks in \
         the platform's settings (webhooks.allowed_networks) or with --outbound-allow."
    )]
    Refused,
    #[error("The name of the host cannot be resolved.")]
    Unresolved,
    #[error("No connection: {0}.")]
    Connect(String),
    #[error("There was no whole answer within {0} s.")]
    Timeout(u64),
    #[error("The answer broke off: {0}.")]
    Broken(String),
    #[error("It redirects more than {0} times.")]
    Redirects(usize),
}

/// How names become addresses; tests bring their own.
pub trait Lookup: Send + Sync + 'static {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// As this machine resolves them.
struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.collect()) })
    }
}

/// The client. It knows no cookies, no proxy of the environment, and follows redirects only one by one.
pub struct Outbound {
    guard: Guard,
    lookup: Arc<dyn Lookup>,
    patience: Duration,
    /// For https, to all that the guard admits.
    secure: Result<Client, String>,
    /// For plain http, to networks of the operator only.
    plain: Result<Client, String>,
}

impl Outbound {
    pub fn new(config: &Config) -> Self {
        Self::with_lookup(&config.outbound_allow, config.outbound_timeout, Arc::new(SystemLookup))
    }

    /// The same with another way of resolving names.
    pub fn with_lookup(allowed: &[IpNetwork], patience: Duration, lookup: Arc<dyn Lookup>) -> Self {
        let guard = Guard::new(allowed);
        let client = |own_only: bool| {
            let resolver = CheckedResolver { guard: guard.clone(), lookup: lookup.clone(), own_only };
            client_make(resolver, !own_only)
        };
        let (secure, plain) = (client(false), client(true));
        if let Err(problem) = &secure {
            tracing::warn!(problem, "addresses that users give cannot be called from this machine");
        }
        Self { guard, lookup, patience, secure, plain }
    }

    /// Open these networks, and no others, besides those of the configuration.
    pub fn networks_open(&self, networks: Vec<IpNetwork>) {
        self.guard.open(networks);
    }

    /// The same rule for connections that are not made here.
    pub fn resolve(&self) -> Arc<dyn Resolve> {
        Arc::new(GuardedResolve { guard: self.guard.clone(), lookup: self.lookup.clone() })
    }

    /// Read an address that somebody gave. The sentence says what is wrong with it.
    pub fn url_read(&self, text: &str) -> Result<Url, OutboundError> {
        if text.len() > LONGEST_URL {
            return Err(OutboundError::Url("The address is longer than 2048 characters."));
        }
        let url = Url::parse(text)
            .map_err(|_| OutboundError::Url("This is not an address such as https://example.com/hook."))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OutboundError::Url("Put no name or password into the address; it is shown to others."));
        }
        if url.fragment().is_some() {
            return Err(OutboundError::Url("Leave out what follows the #; it is never sent."));
        }
        self.client_of(&url)?;
        Ok(url)
    }

    /// Send a request and read its answer, within the time that the configuration gives.
    pub async fn send(&self, request: OutboundRequest) -> Result<OutboundReply, OutboundError> {
        let timeout = OutboundError::Timeout(self.patience.as_secs());
        tokio::time::timeout(self.patience, self.exchange(request)).await.unwrap_or(Err(timeout))
    }

    async fn exchange(&self, mut request: OutboundRequest) -> Result<OutboundReply, OutboundError> {
        let most = request.redirects;
        loop {
            let sent = self
                .client_of(&request.url)?
                .request(request.method.clone(), request.url.clone())
                .headers(request.headers.clone())
                .body(request.body.clone());
            let response = sent.send().await.map_err(told)?;
            let target = target_of(&response).filter(|_| most > 0);
            let Some(target) = target else { return read(response, request.most).await };
            if request.redirects == 0 {
                return Err(OutboundError::Redirects(most));
            }
            request.redirects -= 1;
            redirect(&mut request, response.status(), target);
        }
    }

    /// Who may call that address. Numbers in place of a name are held against the rule here, names when they are
    /// resolved.
    fn client_of(&self, url: &Url) -> Result<&Client, OutboundError> {
        let host = url.host_str().ok_or(OutboundError::Url("The address names no host."))?;
        // However it was written: the parser has made four numbers of it.
        let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let client = match url.scheme() {
            "https" if literal.is_none_or(|address| self.guard.admits(address)) => &self.secure,
            "http" if self.guard.has_own() && literal.is_none_or(|address| self.guard.is_own(address)) => &self.plain,
            "http" if literal.is_none_or(|address| self.guard.admits(address)) => {
                return Err(OutboundError::Url("Only https addresses are called, such as https://example.com/hook."));
            }
            "https" | "http" => return Err(OutboundError::Refused),
            _ => return Err(OutboundError::Url("Only https addresses are called, such as https://example.com/hook.")),
        };
        client.as_ref().map_err(|problem| OutboundError::Connect(problem.clone()))
    }
}

fn client_make(resolver: CheckedResolver, https_only: bool) -> Result<Client, String> {
    Client::builder()
        .dns_resolver(Arc::new(resolver))
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .https_only(https_only)
        .connect_timeout(CONNECT_TIME)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(2)
        .user_agent(concat!("oCore/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| innermost(&error))
}

/// Where an answer sends us on to.
fn target_of(response: &Response) -> Option<Url> {
    let follows = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(header::LOCATION).filter(|_| follows)?;
    response.url().join(location.to_str().ok()?).ok()
}

/// The next request: what was sent goes on only where the answer says so, and credentials only to the same place.
fn redirect(request: &mut OutboundRequest, status: StatusCode, target: Url) {
    let repeats = matches!(status.as_u16(), 307 | 308) || matches!(request.method, Method::GET | Method::HEAD);
    if !repeats {
        request.method = Method::GET;
        request.body = Bytes::new();
        request.headers.remove(header::CONTENT_TYPE);
    }
    if request.url.origin() != target.origin() {
        for name in &PRIVATE {
            request.headers.remove(name);
        }
    }
    request.url = target;
}

async fn read(mut response: Response, most: usize) -> Result<OutboundReply, OutboundError> {
    let mut body = BytesMut::new();
    let mut is_whole = true;
    while let Some(chunk) = response.chunk().await.map_err(|error| OutboundError::Broken(innermost(&error)))? {
        let room = most - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            is_whole = false;
            break;
        }
    }
    let headers = std::mem::take(response.headers_mut());
    Ok(OutboundReply { status: response.status(), headers, body: body.freeze(), is_whole })
}

fn told(error: reqwest::Error) -> OutboundError {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(this) = cause {
        if let Some(refusal) = this.downcast_ref::<Refusal>() {
            return match refusal {
                Refusal::Closed => OutboundError::Refused,
                Refusal::Unknown => OutboundError::Unresolved,
            };
        }
        cause = this.source();
    }
    match error {
        error if error.is_connect() || error.is_timeout() => OutboundError::Connect(innermost(&error)),
        error => OutboundError::Broken(innermost(&error)),
    }
}

/// The cause that says most.
fn innermost(error: &dyn StdError) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string().trim_end_matches('.').to_owned()
}

/// What the resolver says instead of addresses.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the host may not be called")]
    Closed,
    #[error("the name of the host cannot be resolved")]
    Unknown,
}

/// Hands over only addresses that may be connected to: what was checked is what is used.
struct CheckedResolver {
    guard: Guard,
    lookup: Arc<dyn Lookup>,
    /// Only networks of the operator.
    own_only: bool,
}

impl ResolveName for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, own_only) = (self.guard.clone(), self.own_only);
        let found = self.lookup.lookup(name.as_str().to_owned());
        Box::pin(async move {
            let found = found.await.map_err(|_| Refusal::Unknown)?;
            let is_empty = found.is_empty();
            let open = |a: &SocketAddr| if own_only { guard.is_own(a.ip()) } else { guard.admits(a.ip()) };
            let open: Vec<SocketAddr> = found.into_iter().filter(open).collect();
            if open.is_empty() {
                return Err(if is_empty { Refusal::Unknown } else { Refusal::Closed }.into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

/// Addresses for connections to destinations of backups.
struct GuardedResolve {
    guard: Guard,
    lookup: Arc<dyn Lookup>,
}

impl Resolve for GuardedResolve {
    fn resolve(
        &self, host: String, port: u16, encrypted: bool,
    ) -> BoxFuture<'static, Result<Vec<SocketAddr>, StorageError>> {
        let guard = self.guard.clone();
        let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let found = self.lookup.lookup(host.clone());
        Box::pin(async move {
            let found: Vec<IpAddr> = match literal {
                Some(address) => vec![address],
                None => match found.await {
                    Ok(found) if !found.is_empty() => found.into_iter().map(|address| address.ip()).collect(),
                    _ => return Err(StorageError::unreachable(format!("The name {host} cannot be resolved"))),
                },
            };
            let open = |address: &IpAddr| if encrypted { guard.admits(*address) } else { guard.is_own(*address) };
            let open: Vec<SocketAddr> =
                found.into_iter().filter(open).map(|address| SocketAddr::new(address, port)).collect();
            match open.is_empty() {
                false => Ok(open),
                true if encrypted => Err(StorageError::refused(OutboundError::Refused.to_string())),
                true => Err(StorageError::refused("Outside of the operator's own networks only https is used")),
            }
        })
    }
}
