//! A directory as a zip, written while it is read: nothing is kept on disk or in memory but the list of its names.

use super::rooted::{DEEPEST, Directory};
use super::{FileError, FileResult, Files, Trouble, blocking};
use crate::chunks::Chunks;
use bytes::Bytes;
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::files::FileKind;
use std::io::{self, Read, Write};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A zip's list of names is kept in memory until its end.
const MOST: usize = 100_000;
const CHUNK: usize = 128 * 1024;
/// Chunks between the reading and the connection.
const QUEUE: usize = 4;
/// Good enough: it is the connection that is slow.
const LEVEL: i64 = 1;

pub type Chunk = io::Result<Bytes>;

impl Files {
    /// All files below a directory. What is no file and no directory is left out, links too.
    pub async fn zip(&self, instance: InstanceId, path: &str) -> FileResult<ReceiverStream<Chunk>> {
        let (root, path) = self.place(instance, path).await?;
        let directory = blocking(move || {
            let directory = root.open()?.directory(&path.relative())?;
            let failed = |e: io::Error| FileError::from_io("read a directory", &path, &e);
            if count(&directory, DEEPEST, MOST + 1).map_err(failed)? > MOST {
                let message =
                    format!("There are more than {MOST} files in {path}; download its directories one by one.");
                return Err(FileError::new(Trouble::TooLarge, "file_too_many", message));
            }
            Ok(directory)
        })
        .await?;
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::task::spawn_blocking(move || {
            let mut writer = ZipWriter::new_stream(Chunks::new(sender.clone(), CHUNK));
            let written = add(&mut writer, &directory, "", DEEPEST)
                .and_then(|()| writer.finish().map_err(io::Error::other))
                .and_then(|sending| sending.into_inner().flush());
            if let Err(e) = written {
                // Whoever has gone away does not hear it.
                drop(sender.blocking_send(Err(e)));
            }
        });
        Ok(ReceiverStream::new(receiver))
    }
}

/// Entries below a directory, as far as they are wanted.
fn count(directory: &Directory, deeper: usize, most: usize) -> io::Result<usize> {
    let mut found = 0;
    for name in directory.names()? {
        let name = name?;
        found += 1;
        let looked = directory.look(&name);
        if deeper > 0 && looked.is_ok_and(|looked| looked.kind == FileKind::Directory) {
            found += count(&directory.enter(&name)?, deeper - 1, most.saturating_sub(found))?;
        }
        if found >= most {
            break;
        }
    }
    Ok(found)
}

fn add<W: Write + io::Seek>(
    writer: &mut ZipWriter<W>, directory: &Directory, prefix: &str, deeper: usize,
) -> io::Result<()> {
    let mut names: Vec<_> = directory.names()?.collect::<io::Result<_>>()?;
    names.sort();
    for name in names {
        let Ok(looked) = directory.look(&name) else { continue };
        let path = format!("{prefix}{}", String::from_utf8_lossy(&name));
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            .unix_permissions(looked.mode & 0o777)
            .large_file(looked.size >= u64::from(u32::MAX))
            .last_modified_time(DateTime::try_from(looked.modified_at.naive_utc()).unwrap_or_default());
        match looked.kind {
            FileKind::Directory if deeper > 0 => {
                writer.add_directory(&path, options).map_err(io::Error::other)?;
                add(writer, &directory.enter(&name)?, &format!("{path}/"), deeper - 1)?;
            }
            FileKind::File => {
                let Some(file) = directory.open(&name)? else { continue };
                writer.start_file(path, options).map_err(io::Error::other)?;
                // What grows while it is read ends where it ended.
                io::copy(&mut file.take(looked.size), writer)?;
            }
            _ => {}
        }
    }
    Ok(())
}
