//! Removing: a file, or a directory with all that is in it.

use super::path::FilePath;
use super::rooted::{DEEPEST, Directory, Rooted};
use super::{FileError, FileResult, Trouble};
use ocore_shared::protocol::files::{FileKind, FilesRemoved};
use rustix::io::Errno;
use std::io;

pub fn remove(rooted: &Rooted, path: &FilePath, recursive: bool, dry_run: bool) -> FileResult<FilesRemoved> {
    let failed = |e: io::Error| FileError::from_io("remove a file", path, &e);
    let (parent, name) = path.split()?;
    let directory = rooted.directory(&parent)?;
    let mut count = FilesRemoved::default();
    if directory.look(name.as_bytes()).map_err(failed)?.kind == FileKind::Directory && !recursive {
        let inside = directory.enter(name.as_bytes()).map_err(failed)?;
        if inside.names().map_err(failed)?.next().is_some() {
            return Err(failed(Errno::NOTEMPTY.into()));
        }
    }
    walk(&directory, name.as_bytes(), dry_run, DEEPEST, &mut count).map_err(|e| match Errno::from_io_error(&e) {
        Some(Errno::MLINK) => {
            let message =
                format!("{path} has more than {DEEPEST} directories inside of each other; remove those first.");
            FileError::new(Trouble::Conflict, "file_too_deep", message)
        }
        _ => failed(e),
    })?;
    Ok(count)
}

/// One name of a directory with all below it; links are removed, not followed.
fn walk(directory: &Directory, name: &[u8], dry_run: bool, deeper: usize, count: &mut FilesRemoved) -> io::Result<()> {
    let looked = match directory.look(name) {
        // Somebody else was faster.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        looked => looked?,
    };
    if looked.kind != FileKind::Directory {
        if !dry_run {
            directory.unlink(name)?;
        }
        count.files += 1;
        count.bytes += looked.size;
        return Ok(());
    }
    let deeper = deeper.checked_sub(1).ok_or(Errno::MLINK)?;
    let inside = directory.enter(name)?;
    let names: Vec<_> = inside.names()?.collect::<io::Result<_>>()?;
    for below in names {
        walk(&inside, &below, dry_run, deeper, count)?;
    }
    if !dry_run {
        // A draft of somebody who uploads into it at this moment is nobody's any more.
        inside.drafts_remove()?;
        directory.remove_directory(name)?;
    }
    count.directories += 1;
    Ok(())
}
