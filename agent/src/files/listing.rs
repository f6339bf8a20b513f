//! Directories, a page at a time. However many entries there are, only those of the page are kept and looked at.

use super::path::FilePath;
use super::rooted::{Looked, Rooted};
use super::roots::{Access, Root};
use super::{FileError, FileResult};
use ocore_shared::protocol::files::{FileInfo, FileKind, FileQuery};
use std::collections::BinaryHeap;

/// No page is longer.
const LARGEST: usize = 1_001;

/// The roots as directories.
pub fn roots(roots: &[Root], query: &FileQuery) -> Vec<FileInfo> {
    let wanted = |name: &str| {
        query.after.as_deref().is_none_or(|after| name > after) && query.name.as_deref().is_none_or(|only| name == only)
    };
    let found = roots.iter().filter(|root| wanted(root.name)).filter_map(|root| {
        let looked = root.open().ok()?.look(".").ok()?;
        Some(described(root, root.name.into(), root.name.into(), looked))
    });
    found.take(query.limit.min(LARGEST)).collect()
}

/// Entries of a directory, by name.
pub fn entries(root: &Root, path: &FilePath, query: &FileQuery) -> FileResult<Vec<FileInfo>> {
    let failed = |e: std::io::Error| FileError::from_io("list a directory", path, &e);
    let rooted = root.open()?;
    let directory = rooted.directory(&path.relative())?;
    let limit = query.limit.clamp(1, LARGEST);
    let mut page = BinaryHeap::with_capacity(limit + 1);
    for name in directory.names().map_err(failed)? {
        let name = name.map_err(failed)?;
        let text = String::from_utf8_lossy(&name).into_owned();
        let is_wanted = query.after.as_ref().is_none_or(|after| text > *after)
            && query.name.as_ref().is_none_or(|only| text == *only);
        if is_wanted {
            page.push((text, name));
            if page.len() > limit {
                page.pop();
            }
        }
    }
    let described = page.into_sorted_vec().into_iter().filter_map(|(text, name)| {
        // One that went meanwhile is not there.
        let looked = directory.look(&name).ok()?;
        Some(described(root, text.clone(), path.join(&text), looked))
    });
    Ok(described.collect())
}

/// What is at a path.
pub fn info(rooted: &Rooted, root: &Root, path: &FilePath) -> FileResult<FileInfo> {
    let looked = rooted.look(&path.relative()).map_err(|e| FileError::from_io("look at a file", path, &e))?;
    Ok(described(root, path.name().into(), path.to_string(), looked))
}

pub fn described(root: &Root, name: String, path: String, looked: Looked) -> FileInfo {
    let is_plain = matches!(looked.kind, FileKind::File | FileKind::Directory);
    FileInfo {
        name,
        path,
        kind: looked.kind,
        size: looked.size,
        mode: format!("{:04o}", looked.mode),
        modified_at: looked.modified_at,
        etag: looked.etag,
        writable: is_plain && root.access == Access::Open,
    }
}
