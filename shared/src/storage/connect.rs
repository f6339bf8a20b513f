//! Connections to destinations, to addresses that are allowed, and HTTP over them.

use super::error::own;
use super::{Result, StorageError};
use futures::future::BoxFuture;
use http::Uri;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tower_service::Service;

const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long a request with its body may take until its answer begins.
const ANSWER_TIME: Duration = Duration::from_secs(300);
/// How long an answer may say nothing.
const QUIET_TIME: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(15);
const IDLE_CONNECTIONS: usize = 4;

/// Which addresses a host has that may be connected to.
pub trait Resolve: Send + Sync + 'static {
    /// `host` is a name or an address. An empty list is never returned.
    fn resolve(&self, host: String, port: u16, encrypted: bool) -> BoxFuture<'static, Result<Vec<SocketAddr>>>;
}

/// As the machine resolves them: a server's own network is its owner's. Only where clouds keep a machine's credentials
/// is closed.
pub struct SystemResolve;

impl Resolve for SystemResolve {
    fn resolve(&self, host: String, port: u16, _: bool) -> BoxFuture<'static, Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            let name = host.trim_matches(['[', ']']);
            let found = tokio::net::lookup_host((name, port)).await;
            let found = found.map_err(|_| StorageError::unreachable(format!("The name {host} cannot be resolved")))?;
            let open: Vec<_> = found.filter(|address| !is_link_local(address.ip())).collect();
            match open.is_empty() {
                true => Err(StorageError::refused(format!("{host} is an address of this machine's link only"))),
                false => Ok(open),
            }
        })
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Connect to the first of its addresses that answers.
pub(super) async fn dial(resolve: &dyn Resolve, host: &str, port: u16, encrypted: bool) -> Result<TcpStream> {
    let mut why = "it has no address".to_owned();
    for address in resolve.resolve(host.to_owned(), port, encrypted).await? {
        match tokio::time::timeout(CONNECT_TIME, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => why = format!("no answer within {} s", CONNECT_TIME.as_secs()),
        }
    }
    Err(StorageError::unreachable(format!("{host}, port {port}, cannot be reached: {why}")))
}

/// A connection as hyper wants it.
pub(super) struct Stream(TokioIo<TcpStream>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl hyper::rt::Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl hyper::rt::Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Makes connections for hyper.
#[derive(Clone)]
pub(super) struct Dialer(Arc<dyn Resolve>);

impl Service<Uri> for Dialer {
    type Response = Stream;
    type Error = StorageError;
    type Future = BoxFuture<'static, Result<Stream>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let resolve = self.0.clone();
        Box::pin(async move {
            let encrypted = uri.scheme_str() == Some("https");
            let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
            let stream = dial(&*resolve, uri.host().unwrap_or_default(), port, encrypted).await?;
            Ok(Stream(TokioIo::new(stream)))
        })
    }
}

/// HTTP for the S3 client.
#[derive(Clone, Debug)]
pub(super) struct Http(Client<HttpsConnector<Dialer>, HttpRequestBody>);

impl Http {
    /// `authority`: PEM of one more that may sign certificates.
    pub(super) fn new(resolve: Arc<dyn Resolve>, authority: Option<&str>) -> Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for certificate in authority.map(|pem| CertificateDer::pem_slice_iter(pem.as_bytes())).into_iter().flatten() {
            let wrong = |e: String| StorageError::failed(format!("The authority's certificate cannot be read: {e}"));
            roots.add(certificate.map_err(|e| wrong(e.to_string()))?).map_err(|e| wrong(e.to_string()))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| StorageError::failed(e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Dialer(resolve));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector);
        Ok(Self(client))
    }
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dialer")
    }
}

impl HttpConnector for Http {
    fn connect(&self, _: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait::async_trait]
impl HttpService for Http {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = tokio::time::timeout(ANSWER_TIME, self.0.request(request)).await;
        let answer = answer.map_err(|_| silence(ANSWER_TIME))?.map_err(|error| {
            let kind = match own(&error) {
                // It would be refused again.
                Some(own) if !own.kind.may_pass() => HttpErrorKind::Unknown,
                _ if error.is_connect() => HttpErrorKind::Connect,
                _ => HttpErrorKind::Request,
            };
            HttpError::new(kind, error)
        })?;
        let (parts, body) = answer.into_parts();
        let body = Patient { body, quiet: Box::pin(tokio::time::sleep(QUIET_TIME)) };
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
}

fn silence(time: Duration) -> HttpError {
    let error = io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", time.as_secs()));
    HttpError::new(HttpErrorKind::Timeout, error)
}

/// A body that may not be silent for long.
struct Patient {
    body: Incoming,
    quiet: Pin<Box<tokio::time::Sleep>>,
}

impl hyper::body::Body for Patient {
    type Data = bytes::Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>, cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, HttpError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.quiet.as_mut().reset(tokio::time::Instant::now() + QUIET_TIME);
                Poll::Ready(frame.map(|frame| frame.map_err(|e| HttpError::new(HttpErrorKind::Interrupted, e))))
            }
            Poll::Pending => match self.quiet.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Some(Err(silence(QUIET_TIME)))),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

/// An answer's body, at most that much of it, as text.
pub(super) async fn text_of(body: HttpResponseBody, most: usize) -> Result<String> {
    let whole = http_body_util::Limited::new(body, most).collect().await;
    let whole = whole.map_err(|e| StorageError::unreachable(format!("The answer broke off: {e}")))?;
    Ok(String::from_utf8_lossy(&whole.to_bytes()).into_owned())
}
