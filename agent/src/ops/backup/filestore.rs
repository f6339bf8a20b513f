//! Attachments as a tar: exactly those that a database refers to, each of which is named by its content.

use super::pack::hex;
use crate::engine::OpError;
use crate::files::rooted::{Directory, Rooted};
use crate::host::Host;
use crate::host::docker::{absent_is_none, failed};
use crate::ops::odoo::record::{self, Record};
use ocore_shared::ids::JobId;
use ocore_shared::protocol::backups::Attachments;
use ocore_shared::protocol::files::FileKind;
use sha1::{Digest, Sha1};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use tar::{EntryType, Header};

/// In Odoo's volume.
pub fn within(database: &str) -> String {
    format!("filestore/{database}")
}

/// Where Odoo's volume is on the server.
pub async fn volume_path(host: &Host, record: &Record) -> Result<PathBuf, OpError> {
    let volume = record::volume(record.spec.instance_id, "odoo");
    let found = absent_is_none(host.docker.client().await?.inspect_volume(&volume).await);
    match found.map_err(|e| failed("look at a volume", e))? {
        Some(found) => Ok(PathBuf::from(found.mountpoint)),
        None => Err(OpError::new("volume_missing", format!("Odoo's volume {volume} is not on this server any more."))),
    }
}

/// `ab/abcd…`, as Odoo names what it keeps: nothing that leads anywhere else.
pub fn is_name(name: &str) -> bool {
    let hexadecimal = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match name.split_once('/') {
        Some((directory, file)) => {
            directory.len() == 2
                && file.len() == 40
                && hexadecimal(directory)
                && hexadecimal(file)
                && file.starts_with(directory)
        }
        None => false,
    }
}

/// Write a tar of the files that are listed, one in each line, in `list`. `passed` is told the bytes so far.
pub fn write(
    out: &mut dyn Write, volume: &Path, database: &str, list: &Path, passed: impl Fn(u64),
) -> io::Result<Attachments> {
    let root = Rooted::open(volume).and_then(|volume| volume.descend(&within(database)));
    let root = match root {
        // Before the first attachment there is none.
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        root => Some(root?),
    };
    let mut builder = tar::Builder::new(out);
    let mut told = Attachments::default();
    for name in BufReader::new(File::open(list)?).lines() {
        let name = name?;
        let found = root.as_ref().filter(|_| is_name(&name)).and_then(|root| root.file(&name).ok());
        let Some((file, looked)) = found else {
            told.missing += 1;
            continue;
        };
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(looked.size);
        header.set_mode(0o644);
        header.set_mtime(u64::try_from(looked.modified_at.timestamp()).unwrap_or_default());
        let mut content = Content { file, left: looked.size, hash: Sha1::new(), is_short: false };
        builder.append_data(&mut header, &name, &mut content)?;
        if content.is_short || !name.ends_with(&hex(&content.hash.finalize())) {
            told.damaged += 1;
        }
        told.files += 1;
        told.bytes += looked.size;
        passed(told.bytes);
    }
    builder.into_inner()?.flush()?;
    Ok(told)
}

/// As many bytes as were announced, whatever happens to the file meanwhile.
struct Content {
    file: File,
    left: u64,
    hash: Sha1,
    is_short: bool,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let mut read = if self.is_short { 0 } else { self.file.read(&mut buffer[..most])? };
        if read == 0 {
            self.is_short = true;
            buffer[..most].fill(0);
            read = most;
        }
        self.hash.update(&buffer[..read]);
        self.left -= read as u64;
        Ok(read)
    }
}

/// Put the files of such a tar into a directory that nobody else writes. What is anything else is refused. Their
/// content is what their name says, except for as many as were known to be damaged.
pub fn read(
    input: &mut dyn Read, directory: &Path, owner: (u32, u32), known: &Attachments, passed: impl Fn(u64),
) -> io::Result<Attachments> {
    let wrong = |what: String| {
        io::Error::other(OpError::new(
            "backup_damaged",
            format!("The backup's attachments are not as they should be: {what}."),
        ))
    };
    directory_make(directory, owner)?;
    let mut archive = tar::Archive::new(input);
    let mut told = Attachments { missing: known.missing, ..Attachments::default() };
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type() != EntryType::Regular || !is_name(&name) {
            return Err(wrong(format!("there is {name:?} among them")));
        }
        let path = directory.join(&name);
        if let Some(parent) = path.parent() {
            directory_make(parent, owner)?;
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path)?;
        let mut hash = Sha1::new();
        let mut buffer = [0; 64 * 1024];
        loop {
            let read = entry.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            file.write_all(&buffer[..read])?;
            told.bytes += read as u64;
        }
        chown(&path, Some(owner.0), Some(owner.1))?;
        if !name.ends_with(&hex(&hash.finalize())) {
            told.damaged += 1;
        }
        told.files += 1;
        passed(told.bytes);
    }
    match told == *known {
        true => Ok(told),
        false => Err(wrong(format!(
            "{} files, {} of them damaged, instead of {} and {}",
            told.files, told.damaged, known.files, known.damaged
        ))),
    }
}

fn directory_make(path: &Path, owner: (u32, u32)) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => chown(path, Some(owner.0), Some(owner.1)),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e),
    }
}

/// Whether something is there, and a directory.
pub fn is_directory(volume: &Path, database: &str) -> bool {
    let root = Rooted::open(volume).and_then(|root| Ok(root.look(&within(database))?.kind == FileKind::Directory));
    root.unwrap_or_default()
}

/// Give a database's files to one of another name.
pub fn rename(volume: &Path, database: &str, to: &str) -> io::Result<()> {
    let filestores = filestores(volume)?;
    filestores.rename(database, &filestores, to, false, &within(to)).map_err(io::Error::other)
}

/// Bring a directory from beside the volume in as a database's files.
pub fn bring(volume: &Path, directory: &Path, database: &str) -> io::Result<()> {
    let (beside, name) = beside(directory)?;
    beside.rename(&name, &filestores(volume)?, database, false, &within(database)).map_err(io::Error::other)
}

/// The other way round. Well when there is nothing.
pub fn take(volume: &Path, database: &str, directory: &Path) -> io::Result<()> {
    if !is_directory(volume, database) {
        return Ok(());
    }
    let (beside, name) = beside(directory)?;
    filestores(volume)?.rename(database, &beside, &name, false, &within(database)).map_err(io::Error::other)
}

/// A database beside an instance's own has another name: so have its files, if it has any.
pub async fn follow(host: &Host, record: &Record, database: &str, to: &str) -> Result<(), OpError> {
    let volume = volume_path(host, record).await?;
    match is_plain(database) && is_plain(to) && is_directory(&volume, database) && !is_directory(&volume, to) {
        true => rename(&volume, database, to).map_err(|e| record::disk(&volume, &e)),
        false => Ok(()),
    }
}

/// Remove the files of a database that is gone, by way of a place where nobody else is.
pub async fn remove(host: &Host, record: &Record, job: JobId, database: &str) -> Result<(), OpError> {
    let volume = volume_path(host, record).await?;
    if !is_plain(database) || database == record.spec.database_name {
        return Ok(());
    }
    let gone = volume.with_file_name(format!("ocore-gone-{}", job.0.simple()));
    let name = database.to_owned();
    let removed = tokio::task::spawn_blocking(move || {
        take(&volume, &name, &gone)?;
        match std::fs::remove_dir_all(&gone) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    });
    let removed = removed.await.unwrap_or_else(|e| Err(io::Error::other(e)));
    removed.map_err(|e| OpError::retryable("disk_failed", format!("The files of {database} cannot be removed: {e}.")))
}

/// Whether it can be the name of a directory.
fn is_plain(database: &str) -> bool {
    !database.is_empty() && !database.contains('/') && !database.starts_with('.')
}

/// Where the volume has the files of all databases, made if there were none yet.
fn filestores(volume: &Path) -> io::Result<Directory> {
    let root = Rooted::open(volume)?;
    if root.look("filestore").is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
        root.directory(".").and_then(|top| top.make_directory("filestore", &"filestore")).map_err(io::Error::other)?;
    }
    root.directory("filestore").map_err(io::Error::other)
}

fn beside(directory: &Path) -> io::Result<(Directory, String)> {
    let parent = directory.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let name = directory.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok((Rooted::open(parent)?.directory(".").map_err(io::Error::other)?, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    struct Store {
        dir: tempfile::TempDir,
        names: Vec<String>,
    }

    impl Store {
        fn new(contents: &[&[u8]]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let mut names = Vec::new();
            for content in contents {
                let hash = hex(&Sha1::digest(content));
                let name = format!("{}/{hash}", &hash[..2]);
                let path = dir.path().join("filestore/shop").join(&name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
                names.push(name);
            }
            Self { dir, names }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join("filestore/shop").join(name)
        }

        fn packed(&self, list: &[&str]) -> (Vec<u8>, Attachments) {
            let path = self.dir.path().join("list");
            fs::write(&path, list.iter().map(|name| format!("{name}\n")).collect::<String>()).unwrap();
            let mut tar = Vec::new();
            let told = write(&mut tar, self.dir.path(), "shop", &path, |_| {}).unwrap();
            (tar, told)
        }

        fn unpacked(&self, tar: &[u8], known: &Attachments) -> io::Result<Attachments> {
            let target = self.dir.path().join("restored");
            let _ = fs::remove_dir_all(&target);
            let meta = fs::metadata(self.dir.path()).unwrap();
            read(&mut &tar[..], &target, (meta.uid(), meta.gid()), known, |_| {})
        }
    }

    #[test]
    fn exactly_what_is_listed_goes_there_and_back() {
        let store = Store::new(&[b"one", b"two", b"three"]);
        let gone = "00/0000000000000000000000000000000000000000";
        let (tar, told) = store.packed(&[&store.names[0], &store.names[2], gone, "../../etc/passwd"]);
        assert_eq!(told, Attachments { files: 2, bytes: 8, missing: 2, damaged: 0 });
        assert_eq!(store.unpacked(&tar, &told).unwrap(), told);
        let restored = store.dir.path().join("restored");
        assert_eq!(fs::read(restored.join(&store.names[2])).unwrap(), b"three");
        assert!(!restored.join(&store.names[1]).exists());
    }

    #[test]
    fn damaged_and_swapped_files_are_told() {
        let store = Store::new(&[b"one", b"two"]);
        fs::write(store.path(&store.names[0]), b"uno").unwrap();
        fs::remove_file(store.path(&store.names[1])).unwrap();
        symlink("/etc/passwd", store.path(&store.names[1])).unwrap();
        let (tar, told) = store.packed(&[&store.names[0], &store.names[1]]);
        assert_eq!(told, Attachments { files: 1, bytes: 3, missing: 1, damaged: 1 });
        assert_eq!(store.unpacked(&tar, &told).unwrap(), told);
        assert!(store.unpacked(&tar, &Attachments { damaged: 0, ..told }).is_err(), "one more than was known");
    }

    #[test]
    fn evil_archives_write_nothing_elsewhere() {
        let store = Store::new(&[]);
        let evil: [(&str, EntryType); 5] = [
            ("../../../tmp/evil", EntryType::Regular),
            ("/etc/evil", EntryType::Regular),
            ("aa/aa00000000000000000000000000000000000000", EntryType::Symlink),
            ("aa/aa00000000000000000000000000000000000000", EntryType::Link),
            ("aa", EntryType::Directory),
        ];
        for (name, kind) in evil {
            let mut header = Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(0);
            let bytes = name.as_bytes();
            header.as_old_mut().name[..bytes.len()].copy_from_slice(bytes);
            if matches!(kind, EntryType::Symlink | EntryType::Link) {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            let mut builder = tar::Builder::new(Vec::new());
            builder.append(&header, io::empty()).unwrap();
            let tar = builder.into_inner().unwrap();
            let error = store.unpacked(&tar, &Attachments::default()).unwrap_err();
            assert!(error.to_string().contains("among them"), "{name}: {error}");
        }
    }

    #[test]
    fn names_lead_nowhere_else() {
        assert!(is_name("ab/abcdef0123456789abcdef0123456789abcdef01"));
        for wrong in ["ab/cdef0123456789abcdef0123456789abcdef0101", "../etc/passwd", "ab/ABCDEF", "", "s3://b/ab/x"] {
            assert!(!is_name(wrong), "{wrong}");
        }
    }
}
