//! A bucket of anything that speaks S3.

use super::connect::{Http, Resolve, text_of};
use super::error::{innermost, own};
use super::{ByteStream, Entry, Result, StorageError, Upload};
use crate::protocol::storage::{S3Place, StorageProblemKind};
use crate::secret::Secret;
use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt, TryStreamExt};
use http::{Method, StatusCode, Uri};
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsAuthorizer, AwsCredential};
use object_store::client::{HttpRequest, HttpRequestBody, HttpService};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    BackoffConfig, Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig,
};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Parts under way at once.
const PARTS: usize = 2;
const MOST_ANSWER: usize = 1 << 20;
const TRIES: usize = 6;
const TRY_TIME: Duration = Duration::from_secs(120);
const AMAZON: &str = "amazonaws.com";

pub struct S3 {
    store: AmazonS3,
    prefix: String,
    bucket: String,
}

impl S3 {
    pub(super) fn open(place: &S3Place, secret: Option<&Secret>, resolve: Arc<dyn Resolve>) -> Result<Self> {
        let secret = secret.ok_or_else(no_secret)?;
        let retry = RetryConfig { backoff: BackoffConfig::default(), max_retries: TRIES, retry_timeout: TRY_TIME };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&place.bucket)
            .with_region(&place.region)
            .with_access_key_id(&place.access_key_id)
            .with_secret_access_key(secret.expose())
            .with_virtual_hosted_style_request(!place.path_style)
            .with_retry(retry)
            .with_allow_http(true)
            .with_disable_tagging(true)
            .with_http_connector(Http::new(resolve, place.ca_certificate.as_deref())?);
        if let Some(endpoint) = &place.endpoint {
            builder = builder.with_endpoint(endpoint_of(endpoint, place)?);
        }
        let store = builder.build().map_err(|e| StorageError::failed(innermost(&e)))?;
        let prefix = place.prefix.trim_matches('/').to_owned();
        Ok(Self { store, prefix, bucket: place.bucket.clone() })
    }

    fn path(&self, key: &str) -> Path {
        match self.prefix.is_empty() {
            true => Path::from(key),
            false => Path::from(format!("{}/{key}", self.prefix)),
        }
    }

    fn told(&self, error: &Error) -> StorageError {
        if let Some(own) = own(error) {
            return own.clone();
        }
        let text = error.to_string();
        let bucket = &self.bucket;
        match error {
            _ if text.contains("NoSuchBucket") => StorageError::new(
                StorageProblemKind::Missing,
                format!("There is no bucket {bucket}; create it, or correct its name, the region or the endpoint"),
            ),
            Error::NotFound { path, .. } => {
                StorageError::new(StorageProblemKind::NotFound, format!("{path} is not in the bucket {bucket}"))
            }
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => StorageError::refused(format!(
                "The access key may not do this in the bucket {bucket}, or its secret is wrong ({})",
                word_of(&text)
            )),
            error => StorageError::unreachable(format!("The bucket {bucket} cannot be reached: {}", innermost(error))),
        }
    }

    pub(super) async fn upload_begin(&self, key: &str) -> Result<String> {
        self.store.create_multipart(&self.path(key)).await.map_err(|e| self.told(&e))
    }

    pub(super) async fn upload(
        &self, upload: &Upload, mut bytes: impl Stream<Item = Result<Bytes>> + Send + Unpin,
    ) -> Result<u64> {
        let path = self.path(&upload.key);
        let id = upload.id.clone().unwrap_or_default();
        let most = usize::try_from(upload.part_bytes).unwrap_or(usize::MAX);
        let (mut parts, mut under_way): (Vec<Option<PartId>>, _) = (Vec::new(), FuturesUnordered::new());
        let (mut part, mut size, mut written) = (Vec::new(), 0, 0);
        let mut is_over = false;
        while !is_over {
            match bytes.try_next().await? {
                Some(mut next) => {
                    written += next.len() as u64;
                    // All parts but the last are of one size: some stores insist.
                    while size + next.len() >= most {
                        part.push(next.split_to(most - size));
                        let full: PutPayload = std::mem::take(&mut part).into_iter().collect();
                        size = 0;
                        self.part_begin(&mut parts, &mut under_way, (&path, &id), full).await?;
                    }
                    size += next.len();
                    if !next.is_empty() {
                        part.push(next);
                    }
                }
                None => is_over = true,
            }
        }
        if size > 0 || parts.is_empty() {
            let last: PutPayload = std::mem::take(&mut part).into_iter().collect();
            self.part_begin(&mut parts, &mut under_way, (&path, &id), last).await?;
        }
        while let Some(done) = under_way.next().await {
            self.part_end(&mut parts, done)?;
        }
        let parts: Option<Vec<PartId>> = parts.into_iter().collect();
        let parts = parts.ok_or_else(|| StorageError::failed("A part of the upload was lost"))?;
        self.store.complete_multipart(&path, &id, parts).await.map_err(|e| self.told(&e))?;
        Ok(written)
    }

    async fn part_begin<'a>(
        &'a self, parts: &mut Vec<Option<PartId>>, under_way: &mut FuturesUnordered<PartUpload<'a>>,
        (path, id): (&'a Path, &'a String), payload: PutPayload,
    ) -> Result<()> {
        if under_way.len() >= PARTS
            && let Some(done) = under_way.next().await
        {
            self.part_end(parts, done)?;
        }
        let number = parts.len();
        parts.push(None);
        let sent = self.store.put_part(path, id, number, payload);
        under_way.push(Box::pin(async move { (number, sent.await) }));
        Ok(())
    }

    fn part_end(&self, parts: &mut [Option<PartId>], (number, done): PartDone) -> Result<()> {
        parts[number] = Some(done.map_err(|e| self.told(&e))?);
        Ok(())
    }

    pub(super) async fn upload_abort(&self, upload: &Upload) -> Result<()> {
        let Some(id) = &upload.id else { return Ok(()) };
        match self.store.abort_multipart(&self.path(&upload.key), id).await {
            Err(Error::NotFound { .. }) => Ok(()),
            done => done.map_err(|e| self.told(&e)),
        }
    }

    pub(super) async fn write(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.store.put(&self.path(key), bytes.into()).await.map(drop).map_err(|e| self.told(&e))
    }

    pub(super) async fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<ByteStream> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let got = self.store.get_opts(&self.path(key), options).await.map_err(|e| self.told(&e))?;
        let bucket = self.bucket.clone();
        let broken = move |e: Error| {
            StorageError::unreachable(format!("Reading from the bucket {bucket} broke off: {}", innermost(&e)))
        };
        Ok(got.into_stream().map_err(broken).boxed())
    }

    pub(super) async fn size(&self, key: &str) -> Result<Option<u64>> {
        match self.store.head(&self.path(key)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(error) => match self.told(&error) {
                told if told.kind == StorageProblemKind::NotFound => Ok(None),
                told => Err(told),
            },
        }
    }

    pub(super) async fn list(&self, below: &str) -> Result<Vec<Entry>> {
        let below = self.path(below.trim_end_matches('/'));
        let root = if self.prefix.is_empty() { String::new() } else { format!("{}/", self.prefix) };
        let entry = |meta: ObjectMeta| {
            let key = meta.location.as_ref().strip_prefix(&root)?.to_owned();
            Some(Entry { key, size: meta.size, modified_at: Some(meta.last_modified) })
        };
        let found: Vec<ObjectMeta> = self.store.list(Some(&below)).try_collect().await.map_err(|e| self.told(&e))?;
        Ok(found.into_iter().filter_map(entry).collect())
    }

    pub(super) async fn delete(&self, key: &str) -> Result<()> {
        match self.store.delete(&self.path(key)).await {
            Err(Error::NotFound { .. }) => Ok(()),
            done => done.map_err(|e| self.told(&e)),
        }
    }
}

type PartDone = (usize, object_store::Result<PartId>);
type PartUpload<'a> = futures::future::BoxFuture<'a, PartDone>;

/// Where the bucket's requests go: in virtual-hosted style the bucket is a part of the host's name.
fn endpoint_of(endpoint: &str, place: &S3Place) -> Result<String> {
    let endpoint = endpoint.trim_end_matches('/');
    if place.path_style {
        return Ok(endpoint.to_owned());
    }
    let wrong = || StorageError::failed("The endpoint must be an address such as https://s3.example.com");
    let (scheme, host) = endpoint.split_once("://").ok_or_else(wrong)?;
    let uri: Uri = endpoint.parse().map_err(|_| wrong())?;
    if uri.host().is_none_or(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()) {
        return Err(StorageError::failed(
            "The endpoint is an address of numbers, which a bucket cannot be a part of; set path_style",
        ));
    }
    match host.starts_with(&format!("{}.", place.bucket)) {
        true => Ok(endpoint.to_owned()),
        false => Ok(format!("{scheme}://{}.{host}", place.bucket)),
    }
}

fn no_secret() -> StorageError {
    StorageError::refused("The secret access key is needed")
}

/// `AccessDenied`, `SignatureDoesNotMatch`: S3's own word for what is wrong.
fn word_of(text: &str) -> &str {
    let word = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    word.map_or("access denied", |(word, _)| word)
}

/// Buckets that a credential sees, and making one: these are the account's, not a bucket's.
pub(super) struct Account {
    http: Http,
    credential: AwsCredential,
    region: String,
    endpoint: String,
}

impl Account {
    /// Of the place, its bucket is not used.
    pub(super) fn open(place: &S3Place, secret: Option<&Secret>, resolve: Arc<dyn Resolve>) -> Result<Self> {
        let secret = secret.ok_or_else(no_secret)?;
        let http = Http::new(resolve, place.ca_certificate.as_deref())?;
        let credential =
            AwsCredential { key_id: place.access_key_id.clone(), secret_key: secret.expose().to_owned(), token: None };
        let amazon = || format!("https://s3.{}.{AMAZON}", place.region);
        let endpoint = place.endpoint.as_deref().map_or_else(amazon, |e| e.trim_end_matches('/').to_owned());
        Ok(Self { http, credential, region: place.region.clone(), endpoint })
    }

    /// Their names.
    pub(super) async fn bucket_list(&self) -> Result<Vec<String>> {
        let (status, text) = self.ask(Method::GET, "/", String::new()).await?;
        if !status.is_success() {
            return Err(StorageError::refused(format!("The access key may not list buckets ({})", word_of(&text))));
        }
        let names = text.split("<Bucket>").skip(1).filter_map(|bucket| {
            let (_, rest) = bucket.split_once("<Name>")?;
            Some(rest.split_once("</Name>")?.0.to_owned())
        });
        Ok(names.collect())
    }

    /// Make one. One that is there already and ours is fine.
    pub(super) async fn bucket_create(&self, name: &str) -> Result<()> {
        let body = match self.endpoint.ends_with(AMAZON) && self.region != "us-east-1" {
            true => format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{}\
                 </LocationConstraint></CreateBucketConfiguration>",
                self.region
            ),
            false => String::new(),
        };
        let (status, text) = self.ask(Method::PUT, &format!("/{name}"), body).await?;
        match (status, word_of(&text)) {
            (status, _) if status.is_success() => Ok(()),
            (_, "BucketAlreadyOwnedByYou") => Ok(()),
            (_, "BucketAlreadyExists") => Err(StorageError::failed(format!("Somebody has a bucket {name} already"))),
            (_, word) => Err(StorageError::refused(format!("The bucket {name} was not made ({word})"))),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: String) -> Result<(StatusCode, String)> {
        let wrong = || StorageError::failed("The endpoint must be an address such as https://s3.example.com");
        let uri: Uri = format!("{}{path}", self.endpoint).parse().map_err(|_| wrong())?;
        uri.host().ok_or_else(wrong)?;
        let mut request = HttpRequest::new(HttpRequestBody::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let signer = AwsAuthorizer::new(&self.credential, "s3", &self.region);
        signer.try_authorize(&mut request, None).map_err(|e| StorageError::failed(innermost(&e)))?;
        let answer = self.http.call(request).await;
        let answer = answer.map_err(|e| {
            let unreachable =
                || StorageError::unreachable(format!("{} cannot be reached: {}", self.endpoint, innermost(&e)));
            own(&e).cloned().unwrap_or_else(unreachable)
        })?;
        Ok((answer.status(), text_of(answer.into_body(), MOST_ANSWER).await?))
    }
}
