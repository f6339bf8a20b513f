//! A real instance is backed up, changed and put back; what is damaged is found out and changes nothing.

use super::*;
use crate::ops::backup;
use age::secrecy::ExposeSecret;
use ocore_shared::ids::{BackupId, InstanceId};
use ocore_shared::protocol::backups::{
    BackupCreate, BackupCreated, BackupDelete, BackupKind, BackupPlace, BackupRestore, BackupRestored, BackupVerified,
    BackupVerify, DESTINATION_SECRET, IDENTITY_SECRET, VerifyMethod,
};
use ocore_shared::protocol::databases::DatabaseWork;
use ocore_shared::protocol::jobs::{JobFailure, JobSnapshot};
use ocore_shared::protocol::odoo::InstanceRunning;
use ocore_shared::protocol::storage::{LocalPlace, Place, S3Place};
use ocore_tests::provisioning::REAL;
use ocore_tests::storage::{S3_KEY, S3_SECRET, S3Server};
use serde::de::DeserializeOwned;
use sha1::{Digest, Sha1};
use std::path::PathBuf;

const ATTACHMENTS: usize = 40;
const BUCKET: &str = "backups";

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_backed_up_and_put_back() {
    for version in REAL {
        backed_up_and_put_back(&Lab::of(version).await).await;
    }
}

async fn backed_up_and_put_back(lab: &Lab) {
    let provisioned = lab.provision().await;
    succeeded(&provisioned);
    let running: InstanceRunning = serde_json::from_value(provisioned.result.unwrap()).unwrap();
    let address: SocketAddr = ([127, 0, 0, 1], running.http_port).into();
    lab.attach(ATTACHMENTS).await;
    let kept = lab.local();
    let backup = watched("a backup", address, lab.back_up(&kept, vec![], [])).await.unwrap();
    everything_is_in(lab, &backup).await;
    it_is_proven_beside_the_running_one(lab, address, &kept, &backup).await;
    what_was_then_comes_back(lab, address, &kept, &backup).await;
    what_is_damaged_changes_nothing(lab, address, &kept, &backup).await;
    it_goes_into_another_instance(lab, &kept, &backup).await;
    an_encrypted_one_goes_through_s3(lab).await;
    one_that_stands_is_backed_up_too(lab, &kept).await;
    let request = BackupDelete { backup_id: backup.manifest.backup_id, at: lab.at(&kept, &backup) };
    succeeded(&lab.run("backup_delete", &request).await);
    assert!(!lab.kept_dir().join(backup.manifest.backup_id.to_string()).exists());
    succeeded(&lab.remove(true).await);
    assert_eq!(lab.leftovers().await, Vec::<String>::new());
    lab.finish().await;
}

/// A place, and what it is opened with.
struct Destination {
    place: Place,
    secret: Option<String>,
}

/// What a job that reads a backup is given.
fn secrets(destination: &Destination, identity: Option<String>) -> impl Iterator<Item = (String, String)> + use<> {
    let secrets = [(DESTINATION_SECRET, destination.secret.clone()), (IDENTITY_SECRET, identity)];
    secrets.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)))
}

/// What came of a job that has ended.
fn outcome<T: DeserializeOwned>(job: JobSnapshot) -> Result<T, JobFailure> {
    match job.failure {
        Some(failure) => Err(failure),
        None => Ok(serde_json::from_value(job.result.unwrap()).unwrap()),
    }
}

impl Lab {
    fn kept_dir(&self) -> PathBuf {
        self.dir.as_ref().unwrap().path().join("kept")
    }

    /// A directory of this machine, which its administrator allows.
    fn local(&self) -> Destination {
        let path = self.kept_dir().display().to_string();
        let config = &self.agent.config.config_dir;
        std::fs::create_dir_all(config).unwrap();
        std::fs::write(config.join("policy.toml"), format!("backup_directories = [\"{path}\"]\n")).unwrap();
        Destination { place: Place::Local(LocalPlace { path }), secret: None }
    }

    fn at(&self, destination: &Destination, backup: &BackupCreated) -> BackupPlace {
        self.place_at(destination, backup.manifest.backup_id)
    }

    fn place_at(&self, destination: &Destination, id: BackupId) -> BackupPlace {
        let has_secret = destination.secret.is_some();
        BackupPlace { place: destination.place.clone(), has_secret, prefix: format!("{id}/") }
    }

    async fn back_up(
        &self, destination: &Destination, recipients: Vec<String>, more: impl IntoIterator<Item = (String, String)>,
    ) -> Result<BackupCreated, JobFailure> {
        let id = BackupId::new();
        let wish = BackupCreate {
            backup_id: id,
            instance_id: self.spec.instance_id,
            kind: BackupKind::Manual,
            at: self.place_at(destination, id),
            recipients,
        };
        let secret = destination.secret.clone().map(|secret| (DESTINATION_SECRET.to_owned(), secret));
        let job = self.begin_with("backup_create", &wish, more.into_iter().chain(secret)).await;
        let job = self.end(job).await;
        outcome(job)
    }

    async fn put_back(
        &self, destination: &Destination, backup: &BackupCreated, identity: Option<String>,
    ) -> Result<BackupRestored, JobFailure> {
        let wish = BackupRestore {
            backup_id: backup.manifest.backup_id,
            instance_id: self.spec.instance_id,
            at: self.at(destination, backup),
            manifest_sha256: backup.manifest_sha256.clone(),
            is_encrypted: !backup.manifest.recipients.is_empty(),
        };
        let job = self.begin_with("backup_restore", &wish, secrets(destination, identity)).await;
        let job = self.end(job).await;
        outcome(job)
    }

    async fn verify(
        &self, destination: &Destination, backup: &BackupCreated, identity: Option<String>, is_restored: bool,
    ) -> Result<BackupVerified, JobFailure> {
        let wish = BackupVerify {
            backup_id: backup.manifest.backup_id,
            instance_id: is_restored.then_some(self.spec.instance_id),
            at: self.at(destination, backup),
            manifest_sha256: backup.manifest_sha256.clone(),
            is_encrypted: !backup.manifest.recipients.is_empty(),
        };
        let job = self.begin_with("backup_verify", &wish, secrets(destination, identity)).await;
        let job = self.end(job).await;
        let made = labels::filter(labels::JOB, job.id);
        assert_eq!(self.labelled([made]).await, Vec::<String>::new(), "it leaves nothing");
        assert!(!self.agent.host.records.dir(InstanceId(job.id.0)).exists());
        outcome(job)
    }

    async fn volume(&self) -> PathBuf {
        let record = self.agent.host.records.get(self.spec.instance_id).unwrap();
        backup::volume_path(&self.agent.host, &record).await.unwrap()
    }

    async fn filestore(&self, database: &str) -> PathBuf {
        self.volume().await.join("filestore").join(database)
    }

    /// Files as Odoo keeps them, each with its row.
    async fn attach(&self, count: usize) {
        let filestore = self.filestore(&self.spec.database_name).await;
        let mut script = String::new();
        for number in 0..count {
            let content = format!("attachment {number}").repeat(1000);
            let hash = backup::hex(&Sha1::digest(&content));
            let name = format!("{}/{hash}", &hash[..2]);
            std::fs::create_dir_all(filestore.join(&hash[..2])).unwrap();
            std::fs::write(filestore.join(&name), &content).unwrap();
            script.push_str(&format!(
                "INSERT INTO ir_attachment (name, type, store_fname, file_size, checksum) VALUES ('n{number}', 'binary', '{name}', {}, '{hash}');\n",
                content.len()
            ));
        }
        self.sql_in(&self.spec.database_name, &script).await;
    }

    async fn drop_kept(&self, name: String) {
        let work = DatabaseWork { instance_id: self.spec.instance_id, name, to: None };
        succeeded(&self.run("database_drop", &work).await);
    }

    async fn databases(&self) -> Vec<String> {
        let script = "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1;";
        self.sql_in("postgres", script).await.lines().map(str::to_owned).collect()
    }

    /// What a job that has failed or ended may have left beside Odoo's volume.
    async fn beside(&self) -> Vec<String> {
        let volume = self.volume().await;
        let names = std::fs::read_dir(volume.parent().unwrap()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("ocore")).collect()
    }
}

async fn everything_is_in(lab: &Lab, backup: &BackupCreated) {
    let manifest = &backup.manifest;
    let users: u64 = lab.sql_in("shop-1", "SELECT count(*) FROM res_users;").await.parse().unwrap();
    assert_eq!(manifest.tables["res_users"], users);
    assert!(manifest.tables.len() > 50 && manifest.modules.contains_key("base"), "{:?}", manifest.modules);
    assert!(manifest.attachments.files >= ATTACHMENTS as u64, "{:?}", manifest.attachments);
    assert_eq!((manifest.attachments.missing, manifest.attachments.damaged), (0, 0));
    assert!(manifest.roles.contains(&"shop_role".to_owned()), "{:?}", manifest.roles);
    assert!(manifest.database_uuid.as_ref().is_some_and(|uuid| uuid.len() == 36), "{:?}", manifest.database_uuid);
    assert!(manifest.postgres_version.starts_with("13."));
    let dir = lab.kept_dir().join(manifest.backup_id.to_string());
    for part in [&manifest.database, &manifest.filestore] {
        assert_eq!(std::fs::metadata(dir.join(&part.name)).unwrap().len(), part.size);
    }
}

async fn it_is_proven_beside_the_running_one(
    lab: &Lab, address: SocketAddr, kept: &Destination, backup: &BackupCreated,
) {
    let there = (lab.started("odoo").await, lab.databases().await, lab.leftovers().await);
    let verified = watched("a verification", address, lab.verify(kept, backup, None, true)).await.unwrap();
    let took = verified.restore_milliseconds.unwrap();
    println!(
        "  restored and answering after {took} ms: {} tables, {} rows",
        verified.tables.unwrap(),
        verified.rows.unwrap()
    );
    assert!(verified.odoo_answered && verified.method == VerifyMethod::Restore && took > 0);
    assert_eq!(verified.tables, Some(backup.manifest.tables.len() as u64));
    assert_eq!(verified.rows, Some(backup.manifest.tables.values().sum()));
    assert_eq!(verified.files, Some(backup.manifest.attachments.files));
    let verified = lab.verify(kept, backup, None, false).await.unwrap();
    assert_eq!((verified.method, verified.bytes), (VerifyMethod::Checksum, backup.manifest.size()));
    assert_eq!((verified.odoo_answered, verified.tables), (false, None));
    assert_eq!((lab.started("odoo").await, lab.databases().await, lab.leftovers().await), there);
    assert_eq!(lab.beside().await, Vec::<String>::new());
}

async fn what_was_then_comes_back(lab: &Lab, address: SocketAddr, kept: &Destination, backup: &BackupCreated) {
    let filestore = lab.filestore("shop-1").await;
    let name = lab.sql_in("shop-1", "SELECT store_fname FROM ir_attachment WHERE name = 'n1';").await;
    std::fs::remove_file(filestore.join(&name)).unwrap();
    lab.sql_in("shop-1", "DELETE FROM ir_attachment WHERE name = 'n1'; CREATE TABLE later (id int);").await;
    let restored = watched("a restore", address, lab.put_back(kept, backup, None)).await.unwrap();
    println!("  Odoo was down for {} ms", restored.down_milliseconds);
    assert_eq!(http::request(address, "/web/login", None).await.unwrap().0, 200);
    assert_eq!(lab.sql_in("shop-1", "SELECT count(*) FROM ir_attachment WHERE name = 'n1';").await, "1");
    assert_eq!(lab.sql_in("shop-1", "SELECT to_regclass('later') IS NULL;").await, "t");
    let owner = lab.sql_in("shop-1", "SELECT tableowner FROM pg_tables WHERE tablename = 'res_users';").await;
    assert_eq!(owner, "shop_role");
    let content = std::fs::read(filestore.join(&name)).unwrap();
    assert!(name.ends_with(&backup::hex(&Sha1::digest(content))));
    // What was there stays, as long as nobody removes it.
    let before = restored.kept_database.unwrap();
    assert_eq!(lab.sql_in(&before, "SELECT to_regclass('later') IS NULL;").await, "f");
    assert_eq!(lab.databases().await, ["postgres".to_owned(), "shop-1".to_owned(), before.clone()]);
    let kept = lab.filestore(&before).await;
    assert!(kept.is_dir() && !kept.join(&name).exists());
    lab.drop_kept(before.clone()).await;
    assert!(!lab.filestore(&before).await.exists());
    assert_eq!(lab.beside().await, Vec::<String>::new());
}

async fn what_is_damaged_changes_nothing(lab: &Lab, address: SocketAddr, kept: &Destination, backup: &BackupCreated) {
    let odoo = lab.started("odoo").await;
    let dir = lab.kept_dir().join(backup.manifest.backup_id.to_string());
    for part in ["manifest.json", "database.dump.zst", "filestore.tar.zst"] {
        let path = dir.join(part);
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        let place = whole.len() / 2;
        flipped[place] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        let failure = lab.put_back(kept, backup, None).await.unwrap_err();
        println!("  {}", failure.message);
        assert_eq!(failure.code, "backup_damaged", "{part}");
        for is_restored in [true, false] {
            let failure = lab.verify(kept, backup, None, is_restored).await.unwrap_err();
            assert_eq!(failure.code, "backup_damaged", "{part}");
        }
        std::fs::write(&path, whole).unwrap();
    }
    assert_eq!(lab.started("odoo").await, odoo, "it went on serving");
    assert_eq!(http::request(address, "/web/login", None).await.unwrap().0, 200);
    assert_eq!(lab.databases().await, ["postgres", "shop-1"]);
    assert_eq!(lab.beside().await, Vec::<String>::new());
}

/// Of another name, with another role, on what could be another server.
async fn it_goes_into_another_instance(lab: &Lab, kept: &Destination, backup: &BackupCreated) {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("etc");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("policy.toml"), format!("backup_directories = [\"{}\"]\n", lab.kept_dir().display()))
        .unwrap();
    let InstanceSpec { image, odoo_version, .. } = lab.spec.clone();
    let (database_name, database_role) = ("other".to_owned(), "other_role".to_owned());
    let other = Lab::open(dir, InstanceSpec { image, odoo_version, database_name, database_role, ..spec() }).await;
    let provisioned = other.provision().await;
    succeeded(&provisioned);
    let running: InstanceRunning = serde_json::from_value(provisioned.result.unwrap()).unwrap();
    let restored = other.put_back(kept, backup, None).await.unwrap();
    assert!(restored.kept_database.is_some_and(|name| name.starts_with("other_until_")));
    let address: SocketAddr = ([127, 0, 0, 1], running.http_port).into();
    assert_eq!(http::request(address, "/web/login", None).await.unwrap().0, 200);
    let ask = async |script: &str| other.sql_in("other", script).await;
    assert_eq!(ask("SELECT count(*) FROM ir_attachment WHERE name ~ '^n[0-9]+$';").await, ATTACHMENTS.to_string());
    let owners = "SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables WHERE schemaname = 'public';";
    assert_eq!(ask(owners).await, "other_role");
    let roles = "SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles WHERE rolname !~ '^pg_';";
    assert_eq!(ask(roles).await, "other_role,postgres", "who was made for it is gone");
    let url = ask("SELECT value FROM ir_config_parameter WHERE key = 'web.base.url';").await;
    assert!(url.ends_with(&format!(":{}", running.http_port)), "people reach it as they reach the instance: {url}");
    let name = ask("SELECT store_fname FROM ir_attachment WHERE name = 'n1';").await;
    assert!(other.filestore("other").await.join(name).exists());
    succeeded(&other.remove(true).await);
    assert_eq!(other.leftovers().await, Vec::<String>::new());
    other.finish().await;
}

async fn an_encrypted_one_goes_through_s3(lab: &Lab) {
    let server = S3Server::start();
    let place = Place::S3(S3Place {
        endpoint: Some(server.endpoint()),
        region: "us-east-1".into(),
        bucket: BUCKET.into(),
        prefix: "acme".into(),
        path_style: true,
        access_key_id: S3_KEY.into(),
        ca_certificate: None,
    });
    let secret = Some(S3_SECRET.to_owned());
    server.bucket_create(BUCKET).await;
    let destination = Destination { place, secret };
    let key = age::x25519::Identity::generate();
    let identity = |key: &age::x25519::Identity| Some(key.to_string().expose_secret().to_owned());
    let recipients = vec![key.to_public().to_string()];
    let backup = lab.back_up(&destination, recipients.clone(), []).await.unwrap();
    assert!(backup.manifest.database.name.ends_with(".zst.age"), "{:?}", backup.manifest.database);
    assert_eq!(backup.manifest.recipients, recipients);
    let other = identity(&age::x25519::Identity::generate());
    let failure = lab.put_back(&destination, &backup, other).await.unwrap_err();
    assert_eq!(failure.code, "backup_key_wrong");
    // Whoever has no key of it sees at least that it is what was written.
    assert_eq!(lab.verify(&destination, &backup, None, false).await.unwrap().bytes, backup.manifest.size());
    assert!(lab.verify(&destination, &backup, identity(&key), true).await.unwrap().odoo_answered);
    lab.sql_in("shop-1", "CREATE TABLE later (id int);").await;
    let restored = lab.put_back(&destination, &backup, identity(&key)).await.unwrap();
    assert_eq!(lab.sql_in("shop-1", "SELECT to_regclass('later') IS NULL;").await, "t");
    lab.drop_kept(restored.kept_database.unwrap()).await;
    // A destination that is gone is said to be, and nothing is left of the attempt.
    drop(server);
    let failure = lab.back_up(&destination, vec![], []).await.unwrap_err();
    println!("  {}", failure.message);
    assert_eq!(failure.code, "destination_unreachable");
}

async fn one_that_stands_is_backed_up_too(lab: &Lab, kept: &Destination) {
    succeeded(&lab.control("instance_stop").await);
    let backup = lab.back_up(kept, vec![], []).await.unwrap();
    assert!(backup.manifest.tables.len() > 50);
    let postgres = format!("ocore-{}-postgres", lab.spec.slug);
    let stands = async || {
        let state = lab.agent.host.docker.inspect(&postgres).await.unwrap().unwrap().state.unwrap();
        state.running == Some(false)
    };
    assert!(stands().await, "as it was before");
    let restored = lab.put_back(kept, &backup, None).await.unwrap();
    assert!(stands().await && restored.down_milliseconds == 0);
    succeeded(&lab.control("instance_start").await);
    assert_eq!(lab.sql_in("shop-1", "SELECT count(*) > 0 FROM res_users;").await, "t");
    lab.drop_kept(restored.kept_database.unwrap()).await;
}
