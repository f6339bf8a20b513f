use super::*;
use crate::protocol::storage::{LocalPlace, S3Place, StorageProblemKind as Kind};
use futures::future::BoxFuture;
use std::net::SocketAddr;

/// An address that nobody may be sent to.
struct Closed;

impl Resolve for Closed {
    fn resolve(&self, _: String, _: u16, _: bool) -> BoxFuture<'static, Result<Vec<SocketAddr>>> {
        Box::pin(async { Err(StorageError::refused("That address is closed")) })
    }
}

#[test]
fn keys_stay_below_their_place() {
    for good in ["a", "acme/production/0001/db.dump.zst", ".probe-1", "a_b"] {
        assert!(key_check(good).is_ok(), "{good}");
    }
    for bad in ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a b", "a\\b", "a\n", "ä"] {
        assert!(key_check(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn parts_grow_with_what_is_expected() {
    let parts = |bytes: u64| bytes.div_ceil(part_bytes(bytes));
    assert_eq!(part_bytes(0), 8 << 20);
    for gibibytes in [1, 70, 100, 1000, 4000] {
        let bytes = gibibytes << 30;
        assert!(parts(bytes) <= MOST_PARTS, "{gibibytes} GiB");
        assert_eq!(part_bytes(bytes) % (1 << 20), 0);
    }
}

#[tokio::test]
async fn a_closed_address_is_refused_and_not_connected_to() {
    let place = Place::S3(S3Place {
        endpoint: Some("http://127.0.0.1:1".into()),
        region: "us-east-1".into(),
        bucket: "acme".into(),
        prefix: String::new(),
        path_style: true,
        access_key_id: "k".into(),
        ca_certificate: None,
    });
    for work in [StorageWork::Probe, StorageWork::Buckets] {
        let request = StorageRequest { place: place.clone(), secret: Some("s".into()), work };
        let problem = storage_work(request, Arc::new(Closed)).await.problem.expect("a problem");
        assert_eq!((problem.kind, problem.message.as_str()), (Kind::Refused, "That address is closed."));
    }
    // No bucket is a part of such a name.
    let Place::S3(numbers) = place else { unreachable!() };
    let place = Place::S3(S3Place { path_style: false, ..numbers });
    let request = StorageRequest { place, secret: Some("s".into()), work: StorageWork::Probe };
    let problem = storage_work(request, Arc::new(Closed)).await.problem.expect("a problem");
    assert!(problem.message.contains("path_style"), "{}", problem.message);
}

#[tokio::test]
async fn only_s3_has_buckets_and_needs_its_secret() {
    let local = Place::Local(LocalPlace { path: "/var/backups/ocore".into() });
    let request = StorageRequest { place: local, secret: None, work: StorageWork::Buckets };
    assert_eq!(storage_work(request, Arc::new(Closed)).await.problem.map(|p| p.kind), Some(Kind::Failed));
    let relative = Place::Local(LocalPlace { path: "backups".into() });
    let request = StorageRequest { place: relative, secret: None, work: StorageWork::Probe };
    assert_eq!(storage_work(request, Arc::new(Closed)).await.problem.map(|p| p.kind), Some(Kind::NotAllowed));
}
