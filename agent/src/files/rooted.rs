//! Directories as the kernel holds them: what is asked of one is found beneath it or not at all.

use super::path::DRAFT;
use super::{FileError, FileResult};
use chrono::{DateTime, Utc};
use ocore_shared::protocol::files::FileKind;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

/// A lookup that something was renamed under is tried again so often.
const ATTEMPTS: usize = 64;
/// Directories inside of each other that are walked through: each level is held open.
pub const DEEPEST: usize = 200;

/// The directory that a root begins at.
pub struct Rooted(OwnedFd);

/// Somewhere beneath it. Only single names are used in it.
pub struct Directory(OwnedFd);

/// What is known of a file without opening it.
#[derive(Clone, Debug)]
pub struct Looked {
    pub kind: FileKind,
    pub size: u64,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub modified_at: DateTime<Utc>,
    /// Of a file: other for other content.
    pub etag: Option<String>,
}

impl Rooted {
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(fs::open(path, flags, Mode::empty())?))
    }

    /// A root further down.
    pub fn descend(&self, path: &str) -> io::Result<Self> {
        Ok(Self(self.resolve(path, OFlags::PATH | OFlags::DIRECTORY)?))
    }

    /// Links are followed as long as they stay beneath the root.
    fn resolve(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..ATTEMPTS {
            match fs::openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), within) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                found => return Ok(found?),
            }
        }
        Err(Errno::BUSY.into())
    }

    /// A directory to list and to change.
    pub fn directory(&self, path: &str) -> FileResult<Directory> {
        let opened = self.resolve(path, OFlags::RDONLY | OFlags::DIRECTORY);
        opened.map(Directory).map_err(|e| FileError::from_io("open a directory", shown(path), &e))
    }

    /// What is at the end of a path.
    pub fn look(&self, path: &str) -> io::Result<Looked> {
        Ok(Looked::from(&fs::fstat(self.resolve(path, OFlags::PATH)?)?))
    }

    /// A file to read. Nothing but a file is ever opened: to open a device or a pipe is to use it.
    pub fn file(&self, path: &str) -> FileResult<(File, Looked)> {
        let failed = |e: io::Error| FileError::from_io("open a file", shown(path), &e);
        let held = self.resolve(path, OFlags::PATH).map_err(failed)?;
        let looked = Looked::from(&fs::fstat(&held).map_err(|e| failed(e.into()))?);
        match looked.kind {
            FileKind::File => {}
            FileKind::Directory => return Err(failed(Errno::ISDIR.into())),
            FileKind::Link | FileKind::Other => {
                let message = format!("{} is a device, a socket or a pipe; it cannot be read here.", shown(path));
                return Err(FileError::new(super::Trouble::Conflict, "file_special", message));
            }
        }
        Ok((reopen(&held, OFlags::RDONLY).map_err(failed)?, looked))
    }
}

/// What is held by its place alone, opened for use: exactly that, whatever has taken its name meanwhile.
fn reopen(held: &OwnedFd, flags: OFlags) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}", held.as_fd().as_raw_fd());
    Ok(fs::open(path, flags | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())?.into())
}

fn shown(path: &str) -> &str {
    if path == "." { "the root" } else { path }
}

impl Directory {
    /// What bears that name here. A link is a link.
    pub fn look(&self, name: &[u8]) -> io::Result<Looked> {
        Ok(Looked::from(&fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    /// This directory itself.
    pub fn look_here(&self) -> io::Result<Looked> {
        Ok(Looked::from(&fs::fstat(&self.0)?))
    }

    /// Every name, in no order; drafts left out.
    pub fn names(&self) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>> + use<>> {
        let entries = fs::Dir::read_from(&self.0)?;
        Ok(entries.filter_map(|entry| match entry {
            Ok(entry) => seen(entry.file_name()).map(|name| Ok(name.to_vec())),
            Err(e) => Some(Err(e.into())),
        }))
    }

    /// A directory right in this one, never by a link.
    pub fn enter(&self, name: &[u8]) -> io::Result<Directory> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Directory(fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// A file right in this directory, to read.
    pub fn open(&self, name: &[u8]) -> io::Result<Option<File>> {
        self.file(name, OFlags::RDONLY)
    }

    /// Never by a link and never anything but a file.
    fn file(&self, name: &[u8], flags: OFlags) -> io::Result<Option<File>> {
        let held = fs::openat(&self.0, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        let is_file = Looked::from(&fs::fstat(&held)?).kind == FileKind::File;
        if is_file { reopen(&held, flags).map(Some) } else { Ok(None) }
    }

    /// A new file that nobody else reads yet.
    pub fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(fs::openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// A file of ours to go on with.
    pub fn reopen(&self, name: &str) -> io::Result<File> {
        self.file(name.as_bytes(), OFlags::WRONLY)?.ok_or_else(|| Errno::NOENT.into())
    }

    /// The new directory is whose this one is.
    pub fn make_directory(&self, name: &str, path: &dyn std::fmt::Display) -> FileResult<()> {
        let made = (|| {
            fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o755))?;
            let here = fs::fstat(&self.0)?;
            let made = self.enter(name.as_bytes())?;
            fs::fchown(&made.0, Some(fs::Uid::from_raw(here.st_uid)), Some(fs::Gid::from_raw(here.st_gid)))?;
            io::Result::Ok(fs::fchmod(&made.0, Mode::from_raw_mode(0o755))?)
        })();
        made.map_err(|e| FileError::from_io("make a directory", path, &e))
    }

    pub fn rename(
        &self, name: &str, to: &Directory, to_name: &str, overwrite: bool, path: &dyn std::fmt::Display,
    ) -> FileResult<()> {
        let flags = if overwrite { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        let renamed = fs::renameat_with(&self.0, name, &to.0, to_name, flags);
        renamed.map_err(|e| FileError::from_io("move a file", path, &e.into()))
    }

    /// Remove what others are writing here.
    pub fn drafts_remove(&self) -> io::Result<()> {
        for entry in fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            if entry.file_name().to_bytes().starts_with(DRAFT.as_bytes()) {
                self.unlink(entry.file_name().to_bytes())?;
            }
        }
        Ok(())
    }

    pub fn unlink(&self, name: &[u8]) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    pub fn remove_directory(&self, name: &[u8]) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    pub fn sync(&self) -> io::Result<()> {
        Ok(fs::fsync(&self.0)?)
    }

    /// Bytes that are free where this directory is.
    pub fn free(&self) -> io::Result<u64> {
        let found = fs::fstatvfs(&self.0)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

fn seen(name: &CStr) -> Option<&[u8]> {
    let name = name.to_bytes();
    (name != b"." && name != b".." && !name.starts_with(DRAFT.as_bytes())).then_some(name)
}

impl From<&Stat> for Looked {
    fn from(stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => FileKind::Directory,
            FileType::RegularFile => FileKind::File,
            FileType::Symlink => FileKind::Link,
            _ => FileKind::Other,
        };
        let is_file = kind == FileKind::File;
        let size = if is_file { u64::try_from(stat.st_size).unwrap_or_default() } else { 0 };
        let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or_default();
        Self {
            kind,
            size,
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            modified_at: DateTime::from_timestamp(stat.st_mtime, nanoseconds).unwrap_or_default(),
            etag: is_file.then(|| format!("{:x}-{:x}-{:x}-{size:x}", stat.st_ino, stat.st_mtime, nanoseconds)),
        }
    }
}
