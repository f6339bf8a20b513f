//! Files as people use them, and as somebody would who wants to get out.

use super::*;
use crate::ops::odoo::record::tests::spec;
use crate::ops::odoo::record::{Record, Stage};
use bytes::Bytes;
use futures::StreamExt;
use ocore_shared::clock::ShiftedClock;
use ocore_shared::ids::JobId;
use ocore_shared::protocol::files::{FileKind, UploadOpen};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

struct Rig {
    dir: tempfile::TempDir,
    records: Records,
    files: Files,
    clock: ShiftedClock,
    id: InstanceId,
}

/// An instance with modules of its own, on a server without Docker.
fn rig() -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let records = Records::new(dir.path().join("instances"));
    let spec = spec();
    let id = spec.instance_id;
    let (stage, job) = (Stage::Ready, JobId::new());
    let (image_digest, postgres_digest) = (String::new(), String::new());
    let (http_port, realtime_port, running) = (20001, None, true);
    let record = Record { spec, stage, job, http_port, realtime_port, image_digest, postgres_digest, running };
    records.write(&record).unwrap();
    std::fs::create_dir_all(records.addons_dir(id)).unwrap();
    std::fs::write(records.conf_path(id), "[options]\nadmin_passwd = hunter2\ndb_password = hunter3\nworkers = 2\n")
        .unwrap();
    let clock = ShiftedClock::default();
    let docker = DockerHost::new(Path::new("/no-docker.sock"));
    let files = Files::new(records.clone(), docker, dir.path().join("uploads"), Arc::new(clock.clone()));
    Rig { dir, records, files, clock, id }
}

fn body(text: &str) -> impl futures::Stream<Item = std::io::Result<Bytes>> + use<> {
    futures::stream::iter([Ok(Bytes::from(text.to_owned()))])
}

/// Some bytes, then a connection that breaks.
fn broken(text: &str) -> impl futures::Stream<Item = std::io::Result<Bytes>> + use<> {
    body(text).chain(futures::stream::iter([Err(std::io::Error::other("the line is cut"))]))
}

impl Rig {
    fn addons(&self) -> PathBuf {
        self.records.addons_dir(self.id)
    }

    async fn write(&self, path: &str, text: &str) -> FileResult<FileInfo> {
        let query = WriteQuery { path: path.into(), overwrite: true, ..Default::default() };
        self.files.write(self.id, query, 1 << 20, body(text)).await
    }

    async fn read(&self, path: &str) -> FileResult<String> {
        let opened = self.files.open(self.id, path, Wanted::default()).await?;
        let chunks: Vec<_> = opened.into_stream().await.unwrap().collect().await;
        Ok(chunks.into_iter().map(|c| String::from_utf8(c.unwrap().to_vec()).unwrap()).collect())
    }

    async fn list(&self, path: &str) -> FileResult<Vec<FileInfo>> {
        let query = FileQuery { path: path.into(), limit: 100, ..Default::default() };
        Ok(self.files.list(self.id, query).await?.entries)
    }

    async fn names(&self, path: &str) -> Vec<String> {
        self.list(path).await.unwrap().into_iter().map(|entry| entry.name).collect()
    }

    async fn remove(&self, path: &str, recursive: bool) -> FileResult<FilesRemoved> {
        self.files.remove(self.id, RemoveQuery { path: path.into(), recursive, ..Default::default() }).await
    }

    async fn rename(&self, from: &str, to: &str) -> FileResult<FileInfo> {
        let query = MoveQuery { from: from.into(), to: to.into(), overwrite: false, force: false };
        self.files.rename(self.id, query).await
    }

    async fn mkdir(&self, path: &str) -> FileResult<FileInfo> {
        self.files.make_directory(self.id, WriteQuery { path: path.into(), ..Default::default() }).await
    }

    async fn upload(&self, path: &str, length: u64) -> FileResult<ocore_shared::protocol::files::Upload> {
        let open = UploadOpen { path: path.into(), length, overwrite: false, force: false };
        self.files.upload_open(self.id, open).await
    }

    /// Everything in the addons and in the records of uploads, drafts too.
    fn raw(&self) -> Vec<String> {
        let dirs = [self.addons(), self.dir.path().join("uploads")];
        let entries = dirs.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn code<T: std::fmt::Debug>(result: FileResult<T>) -> String {
    result.unwrap_err().code
}

#[tokio::test]
async fn a_module_is_brought_looked_at_changed_and_removed() {
    let rig = rig();
    assert_eq!(rig.names("").await, ["addons", "config"]);
    rig.mkdir("addons/hello").await.unwrap();
    assert_eq!(code(rig.mkdir("addons/hello").await), "file_exists");
    let made = rig.write("addons/hello/__manifest__.py", "{'name': 'Hello'}").await.unwrap();
    assert_eq!((made.size, made.mode.as_str(), made.writable), (17, "0644", true));
    assert_eq!(rig.read("addons/hello/__manifest__.py").await.unwrap(), "{'name': 'Hello'}");
    let listed = rig.list("addons/hello").await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&made));

    // Nobody writes over what somebody else has written meanwhile.
    let again = rig.write("addons/hello/__manifest__.py", "{'name': 'Hullo'}").await.unwrap();
    assert_ne!(made.etag, again.etag);
    let guarded = |etag: &Option<String>| WriteQuery {
        path: "addons/hello/__manifest__.py".into(),
        if_match: etag.clone(),
        ..Default::default()
    };
    let refused = rig.files.write(rig.id, guarded(&made.etag), 100, body("{}")).await;
    assert_eq!(code(refused), "file_changed");
    rig.files.write(rig.id, guarded(&again.etag), 100, body("{}")).await.unwrap();
    let fresh = WriteQuery { path: "addons/hello/__manifest__.py".into(), ..Default::default() };
    assert_eq!(code(rig.files.write(rig.id, fresh, 100, body("x")).await), "file_exists");

    rig.write("addons/hello/a.py", "").await.unwrap();
    rig.rename("addons/hello/a.py", "addons/hello/b.py").await.unwrap();
    assert_eq!(code(rig.rename("addons/hello/b.py", "addons/hello/__manifest__.py").await), "file_exists");
    assert_eq!(code(rig.rename("addons/hello", "addons/hello/inside").await), "file_path_invalid");
    assert_eq!(code(rig.rename("addons/hello/b.py", "config/b.py").await), "file_target_invalid");
    rig.mkdir("addons/other").await.unwrap();
    let onto = MoveQuery { from: "addons/other".into(), to: "addons/hello".into(), overwrite: true, force: false };
    assert_eq!(code(rig.files.rename(rig.id, onto).await), "file_not_empty");
    rig.remove("addons/other", false).await.unwrap();
    assert_eq!(code(rig.remove("addons/hello", false).await), "file_not_empty");
    let query = RemoveQuery { path: "addons/hello".into(), recursive: true, dry_run: true, force: false };
    let counted = rig.files.remove(rig.id, query).await.unwrap();
    assert_eq!(counted, FilesRemoved { files: 2, directories: 1, bytes: 2 });
    assert_eq!(rig.names("addons").await, ["hello"]);
    assert_eq!(rig.remove("addons/hello", true).await.unwrap(), counted);
    assert!(rig.raw().is_empty(), "{:?}", rig.raw());
}

#[tokio::test]
async fn a_directory_comes_in_pages_by_name() {
    let rig = rig();
    for number in 0..25 {
        std::fs::write(rig.addons().join(format!("f{number:02}")), "").unwrap();
    }
    let page = async |after: Option<&str>, limit| {
        let query = FileQuery { path: "addons".into(), after: after.map(str::to_owned), limit, name: None };
        let entries = rig.files.list(rig.id, query).await.unwrap().entries;
        entries.into_iter().map(|e| e.name).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2).await, ["f00", "f01"]);
    assert_eq!(page(Some("f01"), 2).await, ["f02", "f03"]);
    assert_eq!(page(Some("f22"), 10).await, ["f23", "f24"]);
    assert!(page(Some("f24"), 10).await.is_empty());
    let query = FileQuery { path: "addons".into(), name: Some("f07".into()), limit: 5, after: None };
    assert_eq!(rig.files.list(rig.id, query).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn the_configuration_is_shown_without_its_secrets_and_changed_elsewhere() {
    let rig = rig();
    let shown = rig.read("config/odoo.conf").await.unwrap();
    assert!(shown.contains("workers = 2") && !shown.contains("hunter"), "{shown}");
    for change in
        [rig.write("config/odoo.conf", "x").await.map(drop), rig.remove("config/odoo.conf", false).await.map(drop)]
    {
        assert_eq!(code(change), "file_read_only");
    }
    std::fs::write(rig.records.conf_path(rig.id), "[options]\nworkers = 3\n").unwrap();
    assert!(rig.read("config/odoo.conf").await.unwrap().contains("workers = 3"));
    for root in ["addons", "config", "secrets"] {
        assert!(rig.remove(root, true).await.is_err(), "{root}");
    }
    assert_eq!(rig.read("config/../instance.json").await.unwrap_err().code, "file_path_invalid");
}

#[tokio::test]
async fn a_part_of_a_file_is_read() {
    let rig = rig();
    rig.write("addons/a", "0123456789").await.unwrap();
    let wanted = |range: &str| Wanted { range: Some(range.into()), if_range: None };
    let part = rig.files.open(rig.id, "addons/a", wanted("bytes=2-4")).await.unwrap();
    assert_eq!(part.length(), 3);
    let part_etag = part.info.etag.clone();
    let chunks: Vec<_> = part.into_stream().await.unwrap().collect().await;
    assert_eq!(chunks[0].as_ref().unwrap(), "234");
    let outside = rig.files.open(rig.id, "addons/a", wanted("bytes=10-")).await;
    assert_eq!(outside.err().unwrap().trouble, Trouble::Range(10));
    // Of a file that has become another, nobody joins the halves.
    for (etag, length) in [(part_etag, 3), (Some("another".into()), 10)] {
        let same = Wanted { if_range: etag, ..wanted("bytes=2-4") };
        assert_eq!(rig.files.open(rig.id, "addons/a", same).await.unwrap().length(), length);
    }
}

#[tokio::test]
async fn what_breaks_off_leaves_nothing_and_what_is_too_large_too() {
    let rig = rig();
    rig.write("addons/a", "before").await.unwrap();
    let query = WriteQuery { path: "addons/a".into(), overwrite: true, ..Default::default() };
    assert!(rig.files.write(rig.id, query.clone(), 100, broken("half")).await.is_err());
    assert_eq!(code(rig.files.write(rig.id, query.clone(), 3, body("large")).await), "file_too_large");
    // A caller that goes away.
    let never = body("half").chain(futures::stream::pending());
    let gone = tokio::time::timeout(Duration::from_millis(50), rig.files.write(rig.id, query, 100, never)).await;
    assert!(gone.is_err());
    assert_eq!(rig.raw(), ["a"]);
    assert_eq!(rig.read("addons/a").await.unwrap(), "before");
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart_and_takes_its_place_whole() {
    let rig = rig();
    let upload = rig.upload("addons/big.bin", 10).await.unwrap();
    assert_eq!((upload.offset, upload.length, upload.path.as_str()), (0, 10, "addons/big.bin"));
    assert!(rig.files.upload_append(rig.id, upload.id, 0, broken("0123")).await.is_err());
    assert!(rig.names("addons").await.is_empty(), "drafts are nobody's business");

    // As a new process would find it.
    let docker = DockerHost::new(Path::new("/no-docker.sock"));
    let uploads = rig.dir.path().join("uploads");
    let files = Files::new(rig.records.clone(), docker, uploads, Arc::new(rig.clock.clone()));
    let sweeping = tokio::spawn(files.clone().sweep(CancellationToken::new()));
    let found = files.upload_get(rig.id, upload.id).await.unwrap();
    assert_eq!(found.offset, 4);
    let wrong = files.upload_append(rig.id, upload.id, 3, body("3456789")).await;
    assert_eq!(code(wrong), "upload_offset");
    assert_eq!(code(files.upload_append(rig.id, upload.id, 4, body("4567890")).await), "file_too_large");
    let done = files.upload_append(rig.id, upload.id, 4, body("456789")).await.unwrap();
    assert_eq!(done.file.as_ref().unwrap().size, 10);
    assert_eq!(rig.read("addons/big.bin").await.unwrap(), "0123456789");
    // Who did not hear of it hears it now.
    assert_eq!(files.upload_get(rig.id, upload.id).await.unwrap(), done);
    assert_eq!(files.upload_append(rig.id, upload.id, 10, body("")).await.unwrap(), done);
    assert_eq!(code(files.upload_get(InstanceId::new(), upload.id).await), "upload_not_found");
    files.upload_remove(rig.id, upload.id).await.unwrap();
    assert_eq!(rig.raw(), ["big.bin"]);
    sweeping.abort();
}

#[tokio::test]
async fn an_upload_of_nothing_is_there_at_once_and_an_old_one_is_forgotten() {
    let rig = rig();
    assert_eq!(rig.upload("addons/empty", 0).await.unwrap().file.unwrap().size, 0);
    assert_eq!(code(rig.upload("addons/empty", 1).await), "file_exists");
    assert_eq!(code(rig.upload("config/odoo.conf", 1).await), "file_read_only");
    assert_eq!(code(rig.upload("addons/none/there", 1).await), "file_not_found");
    let old = rig.upload("addons/old", 5).await.unwrap();
    rig.files.upload_append(rig.id, old.id, 0, body("12")).await.unwrap();
    rig.clock.shift(chrono::TimeDelta::hours(25));
    let young = rig.upload("addons/young", 5).await.unwrap();
    let sweeping = tokio::spawn(rig.files.clone().sweep(CancellationToken::new()));
    let swept = async {
        while rig.files.upload_get(rig.id, old.id).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), swept).await.unwrap();
    sweeping.abort();
    assert_eq!(rig.files.upload_get(rig.id, young.id).await.unwrap().offset, 0);
    let drafts = rig.raw().into_iter().filter(|name| name.starts_with(path::DRAFT)).count();
    assert_eq!(drafts, 1, "{:?}", rig.raw());
}

#[tokio::test]
async fn one_part_at_a_time() {
    let rig = rig();
    let upload = rig.upload("addons/a", 10).await.unwrap();
    let (began, begun) = tokio::sync::oneshot::channel();
    let first_part = futures::stream::once(async move {
        began.send(()).unwrap();
        std::io::Result::Ok(Bytes::from_static(b"01"))
    });
    let never = first_part.chain(futures::stream::pending());
    let first = tokio::spawn({
        let (files, id) = (rig.files.clone(), rig.id);
        async move { files.upload_append(id, upload.id, 0, never).await }
    });
    begun.await.unwrap();
    assert_eq!(code(rig.files.upload_append(rig.id, upload.id, 0, body("x")).await), "upload_busy");
    assert_eq!(code(rig.files.upload_remove(rig.id, upload.id).await), "upload_busy");
    first.abort();
}

#[tokio::test]
async fn nothing_leads_out_of_a_root() {
    let rig = rig();
    let outside = tempfile::tempdir().unwrap();
    let canary = outside.path().join("canary");
    std::fs::write(&canary, "outside").unwrap();
    let addons = rig.addons();
    std::fs::create_dir(addons.join("real")).unwrap();
    std::fs::write(addons.join("real/file"), "inside").unwrap();
    symlink(outside.path(), addons.join("absolute")).unwrap();
    symlink("../../../..", addons.join("up")).unwrap();
    symlink(&canary, addons.join("file")).unwrap();
    symlink("/proc/self/fd", addons.join("magic")).unwrap();
    symlink("round", addons.join("round")).unwrap();
    symlink("real/file", addons.join("fine")).unwrap();
    let pipe = std::ffi::CString::new(addons.join("pipe").to_str().unwrap()).unwrap();
    nix::unistd::mkfifo(pipe.as_c_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();

    assert_eq!(rig.read("addons/fine").await.unwrap(), "inside");
    for path in ["absolute/canary", "file", "up/etc/passwd", "magic/0", "round", "pipe"] {
        let path = format!("addons/{path}");
        let refused = tokio::time::timeout(Duration::from_secs(5), rig.read(&path)).await.expect("nothing waits");
        let code = code(refused);
        assert!(["file_outside", "file_special", "file_not_found"].contains(&code.as_str()), "{path}: {code}");
    }
    for path in ["absolute/new", "up/new", "file", "fine", "pipe"] {
        assert!(rig.write(&format!("addons/{path}"), "hostile").await.is_err(), "{path}");
        assert!(rig.upload(&format!("addons/{path}"), 3).await.is_err(), "{path}");
    }
    assert!(rig.mkdir("addons/absolute/new").await.is_err());
    assert!(rig.rename("addons/real/file", "addons/absolute/file").await.is_err());
    assert!(rig.list("addons/absolute").await.is_err() && rig.list("addons/up").await.is_err());
    assert!(rig.remove("addons/absolute/canary", true).await.is_err());
    // A link itself is removed, what it leads to stays.
    assert_eq!(rig.remove("addons/absolute", true).await.unwrap().files, 1);
    assert_eq!(std::fs::read_to_string(&canary).unwrap(), "outside");
    let kinds: Vec<_> = rig.list("addons").await.unwrap().iter().map(|e| (e.name.clone(), e.kind)).collect();
    assert!(kinds.contains(&("up".into(), FileKind::Link)) && kinds.contains(&("pipe".into(), FileKind::Other)));
    let zip = zip_of(&rig, "addons").await;
    assert_eq!(zip, [("real/file".to_owned(), "inside".to_owned())]);
}

async fn zip_of(rig: &Rig, path: &str) -> Vec<(String, String)> {
    let chunks: Vec<_> = rig.files.zip(rig.id, path).await.unwrap().collect().await;
    let bytes: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.unwrap().to_vec()).collect();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut found = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        if file.is_file() {
            let name = file.name().unwrap().into_owned();
            found.push((name, text));
        }
    }
    found
}

/// A directory that is at one moment a directory and at the next a link out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_flips_links_wins_nothing() {
    let rig = rig();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("file"), "outside").unwrap();
    let addons = rig.addons();
    let (here, away) = (addons.join("d"), addons.join("away"));
    std::fs::create_dir(&here).unwrap();
    std::fs::write(here.join("file"), "inside").unwrap();
    symlink(outside.path(), addons.join("link")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let flipper = std::thread::spawn({
        let (stop, link) = (stop.clone(), addons.join("link"));
        move || {
            while !stop.load(Ordering::Relaxed) {
                std::fs::rename(&here, &away).unwrap();
                std::fs::rename(&link, &here).unwrap();
                std::fs::rename(&here, &link).unwrap();
                std::fs::rename(&away, &here).unwrap();
            }
        }
    });
    let mut inside = 0;
    for round in 0..500 {
        if let Ok(text) = rig.read("addons/d/file").await {
            assert_eq!(text, "inside");
            inside += 1;
        }
        drop(rig.write("addons/d/written", "x").await);
        drop(rig.mkdir(&format!("addons/d/made{round}")).await);
        drop(rig.rename("addons/d/written", "addons/d/moved").await);
        drop(rig.remove("addons/d/moved", true).await);
        drop(rig.list("addons/d").await);
    }
    stop.store(true, Ordering::Relaxed);
    flipper.join().unwrap();
    assert!(inside > 0);
    let left: Vec<_> = std::fs::read_dir(outside.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["file"], "nothing was written, made or removed outside");
    assert_eq!(std::fs::read_to_string(outside.path().join("file")).unwrap(), "outside");
}

#[tokio::test]
async fn a_file_stays_whose_it_was_and_nothing_is_run_with_rights() {
    let rig = rig();
    rig.write("addons/tool", "#!/bin/sh").await.unwrap();
    let path = rig.addons().join("tool");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o4755)).unwrap();
    std::os::unix::fs::chown(&path, Some(101), Some(101)).unwrap();
    rig.write("addons/tool", "#!/bin/sh -e").await.unwrap();
    let found = std::fs::metadata(&path).unwrap();
    assert_eq!((found.mode() & 0o7777, found.uid(), found.gid()), (0o755, 101, 101));
    std::os::unix::fs::chown(rig.addons(), Some(102), Some(102)).unwrap();
    rig.write("addons/new", "").await.unwrap();
    assert_eq!(std::fs::metadata(rig.addons().join("new")).unwrap().uid(), 102);
}
