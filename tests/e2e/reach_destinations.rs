//! Destinations of backups as they really answer: SeaweedFS, OpenSSH, a directory.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use ocore_shared::protocol::storage::{
    LocalPlace, Place, S3Place, SftpPlace, StorageProblemKind, StorageRequest, StorageWork,
};
use ocore_shared::secret::Secret;
use ocore_shared::storage::{Storage, StorageError, SystemResolve, storage_work};
use ocore_tests::storage::{S3_KEY, S3_SECRET, S3Server, SftpServer};
use std::sync::Arc;

const MIB: usize = 1 << 20;

fn s3_place(server: &S3Server, bucket: &str) -> Place {
    Place::S3(S3Place {
        endpoint: Some(server.endpoint()),
        region: "us-east-1".into(),
        bucket: bucket.into(),
        prefix: "all/of/it".into(),
        path_style: true,
        access_key_id: S3_KEY.into(),
        ca_certificate: None,
    })
}

fn sftp_place(server: &SftpServer, host_key: Option<String>) -> Place {
    Place::Sftp(SftpPlace {
        host: "127.0.0.1".into(),
        port: server.port,
        username: "root".into(),
        path: server.path().display().to_string(),
        host_key,
    })
}

fn request(place: &Place, secret: Option<&str>, work: StorageWork) -> StorageRequest {
    StorageRequest { place: place.clone(), secret: secret.map(str::to_owned), work }
}

fn open(place: &Place, secret: Option<&str>) -> Storage {
    Storage::open(place, secret.map(Secret::new).as_ref(), Arc::new(SystemResolve)).expect("a place")
}

/// What every kind of destination does alike.
async fn keeps_what_it_is_given(storage: &Storage) {
    let key = "acme/production/0001/db.dump.zst";
    // Pieces of odd sizes, more than two parts of an upload.
    let whole: Vec<u8> = (0..19 * MIB + 4321).map(|i| (i % 251) as u8).collect();
    let pieces = |whole: &[u8]| -> Vec<Result<Bytes, StorageError>> {
        whole.chunks(100_003).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
    };

    // One that breaks off is not there, and goes on from the start under the same terms.
    let upload = storage.upload_begin(key, 0).await.expect("it begins");
    let mut broken = pieces(&whole[..12 * MIB]);
    broken.push(Err(StorageError::failed("The disk was full")));
    let error = storage.upload(&upload, stream::iter(broken)).await.expect_err("it broke off");
    assert_eq!(error.message, "The disk was full.");
    assert_eq!(storage.size(key).await.expect("an answer"), None);
    let written = storage.upload(&upload, stream::iter(pieces(&whole))).await.expect("it is kept");
    assert_eq!(written, whole.len() as u64);
    // Whoever died before that was written down does it once more.
    let again = storage.upload_again(upload).await.expect("it begins anew");
    assert_eq!(storage.upload(&again, stream::iter(pieces(&whole))).await.expect("it is kept"), written);

    assert_eq!(storage.size(key).await.expect("an answer"), Some(written));
    let read: Vec<Bytes> = storage.read(key, None).await.expect("it is read").try_collect().await.expect("whole");
    assert!(read.concat() == whole, "what was kept came back otherwise");
    let range = 8 * MIB as u64 - 5..8 * MIB as u64 + 7;
    let part: Vec<Bytes> =
        storage.read(key, Some(range.clone())).await.expect("a part").try_collect().await.expect("whole");
    assert_eq!(part.concat(), whole[range.start as usize..range.end as usize]);

    // Again, under the same name.
    storage.write("acme/production/0001/manifest.json", Bytes::from_static(b"{}")).await.expect("it is kept");
    storage.write("acme/production/0001/manifest.json", Bytes::from_static(b"{\"a\":1}")).await.expect("replaced");
    assert_eq!(storage.read_whole("acme/production/0001/manifest.json", 100).await.expect("it is read"), b"{\"a\":1}");
    assert!(storage.read_whole("acme/production/0001/manifest.json", 3).await.is_err(), "more than was asked for");

    let mut found: Vec<(String, u64)> =
        storage.list("acme/").await.expect("a list").into_iter().map(|entry| (entry.key, entry.size)).collect();
    found.sort();
    assert_eq!(found, [(key.to_owned(), written), ("acme/production/0001/manifest.json".to_owned(), 7)]);
    assert_eq!(storage.list("other/").await.expect("a list"), []);

    for entry in storage.list("").await.expect("a list") {
        storage.delete(&entry.key).await.expect("it goes");
    }
    storage.delete(key).await.expect("what is gone may go again");
    assert_eq!(storage.list("").await.expect("a list"), []);
    assert_eq!(storage.size(key).await.expect("an answer"), None);
    let missing = storage.read(key, None).await.map(|stream| stream.boxed()).err();
    assert_eq!(missing.map(|error| error.kind), Some(StorageProblemKind::NotFound));

    // An upload that nobody wants any more.
    let upload = storage.upload_begin(key, 0).await.expect("it begins");
    storage.upload_abort(&upload).await.expect("it is forgotten");
    storage.upload_abort(&upload).await.expect("and again");
    // Nothing, too.
    let upload = storage.upload_begin("empty", 0).await.expect("it begins");
    assert_eq!(storage.upload(&upload, stream::iter([])).await.expect("it is kept"), 0);
    storage.delete("empty").await.expect("it goes");
}

#[tokio::test]
async fn s3_keeps_backups() {
    let mut server = S3Server::start();
    let resolve = || Arc::new(SystemResolve);
    let place = s3_place(&server, "acme-backups");
    let asked =
        |place: &Place, secret: &str, work: StorageWork| storage_work(request(place, Some(secret), work), resolve());

    // Before there is a bucket.
    let problem = asked(&place, S3_SECRET, StorageWork::Probe).await.problem.expect("a problem");
    assert_eq!(problem.kind, StorageProblemKind::Missing, "{}", problem.message);
    let made = asked(&place, S3_SECRET, StorageWork::BucketCreate("acme-backups".into())).await;
    assert_eq!(made.problem, None);
    let buckets = asked(&place, S3_SECRET, StorageWork::Buckets).await;
    assert_eq!((buckets.problem, buckets.buckets), (None, vec!["acme-backups".to_owned()]));
    assert_eq!(asked(&place, S3_SECRET, StorageWork::Probe).await.problem, None);

    let problem = asked(&place, "another-key", StorageWork::Probe).await.problem.expect("a problem");
    assert_eq!(problem.kind, StorageProblemKind::Refused, "{}", problem.message);
    assert!(!problem.message.contains("another-key"), "{}", problem.message);

    keeps_what_it_is_given(&open(&place, Some(S3_SECRET))).await;

    server.kill();
    let problem = asked(&place, S3_SECRET, StorageWork::Buckets).await.problem.expect("a problem");
    assert_eq!(problem.kind, StorageProblemKind::Unreachable, "{}", problem.message);
}

#[tokio::test]
async fn an_ssh_server_keeps_backups() {
    let mut server = SftpServer::start();
    let probe = async |place: Place, secret: String| {
        storage_work(request(&place, Some(&secret), StorageWork::Probe), Arc::new(SystemResolve)).await
    };
    let answer = probe(sftp_place(&server, None), server.key()).await;
    assert_eq!(answer.problem, None);
    assert!(answer.free_bytes.is_some_and(|bytes| bytes > 0));
    let host_key = answer.host_key.expect("the key that it shows");
    assert!(host_key.starts_with("SHA256:"), "{host_key}");

    let place = sftp_place(&server, Some(host_key));
    keeps_what_it_is_given(&open(&place, Some(&server.key()))).await;

    let problem = probe(place.clone(), "no key but a password".into()).await.problem.expect("a problem");
    assert_eq!(problem.kind, StorageProblemKind::Refused, "{}", problem.message);
    server.change_host_key();
    let answer = probe(place, server.key()).await;
    let problem = answer.problem.expect("a problem");
    assert_eq!(problem.kind, StorageProblemKind::HostKeyChanged, "{}", problem.message);
}

#[tokio::test]
async fn a_directory_keeps_backups() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = Place::Local(LocalPlace { path: dir.path().join("deep/kept").display().to_string() });
    let answer = storage_work(request(&place, None, StorageWork::Probe), Arc::new(SystemResolve)).await;
    assert_eq!(answer.problem, None);
    assert!(answer.free_bytes.is_some_and(|bytes| bytes > 0));
    keeps_what_it_is_given(&open(&place, None)).await;

    std::fs::write(dir.path().join("file"), b"").expect("a file");
    let place = Place::Local(LocalPlace { path: dir.path().join("file").display().to_string() });
    let answer = storage_work(request(&place, None, StorageWork::Probe), Arc::new(SystemResolve)).await;
    assert_eq!(answer.problem.expect("a problem").kind, StorageProblemKind::Missing);
}
