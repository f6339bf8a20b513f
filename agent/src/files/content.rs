//! Reading a file: whole, or the part that was asked for.

use super::listing::described;
use super::path::FilePath;
use super::roots::Root;
use super::{FileError, FileResult, Trouble};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use headers::{Header, HeaderValue, Range};
use ocore_shared::protocol::files::FileInfo;
use std::fs::File;
use std::io;
use std::ops::Bound;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};
use tokio_util::io::ReaderStream;

/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;

/// First byte and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub first: u64,
    pub length: u64,
}

/// A file that is open to be read.
pub struct Opened {
    file: File,
    pub info: FileInfo,
    /// None: all of it.
    pub span: Option<Span>,
}

/// Which part of a file is wanted, as HTTP says it: `Range`, and the etag of `If-Range`.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub range: Option<String>,
    pub if_range: Option<String>,
}

pub fn open(root: &Root, path: &FilePath, wanted: &Wanted) -> FileResult<Opened> {
    let (file, looked) = root.open()?.file(&path.relative())?;
    let is_same = wanted.if_range.is_none() || wanted.if_range == looked.etag;
    let range = wanted.range.as_deref().filter(|_| is_same);
    let span = range.map_or(Ok(None), |range| span(range, looked.size))?;
    let info = described(root, path.name().into(), path.to_string(), looked);
    Ok(Opened { file, info, span })
}

/// What a `Range` of one part means for a file of that size. Of several parts, and of what cannot be read, the whole file
/// is given, as HTTP allows.
fn span(range: &str, size: u64) -> FileResult<Option<Span>> {
    let value = HeaderValue::from_str(range).ok();
    let Some(range) = value.and_then(|value| Range::decode(&mut std::iter::once(&value)).ok()) else { return Ok(None) };
    let mut parts = range.satisfiable_ranges(size);
    let (from, to) = match (parts.next(), parts.next()) {
        (Some(part), None) => part,
        (Some(_), Some(_)) => return Ok(None),
        (None, _) => return Err(outside(size)),
    };
    let first = match from {
        Bound::Included(first) => first,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match to {
        Bound::Included(last) => last.saturating_add(1).min(size),
        Bound::Excluded(end) => end.min(size),
        Bound::Unbounded => size,
    };
    if first >= end {
        return Err(outside(size));
    }
    Ok(Some(Span { first, length: end - first }))
}

fn outside(size: u64) -> FileError {
    FileError::new(Trouble::Range(size), "range_not_satisfiable", format!("The file has only {size} bytes."))
}

impl Opened {
    /// How many bytes come.
    pub fn length(&self) -> u64 {
        self.span.map_or(self.info.size, |span| span.length)
    }

    /// The bytes as they were promised: of a file that grows meanwhile no more come. One that shrinks ends with an error,
    /// so that nobody takes a part for the whole.
    pub async fn into_stream(self) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send> {
        let length = self.length();
        let mut file = tokio::fs::File::from_std(self.file);
        file.set_max_buf_size(CHUNK);
        if let Some(span) = self.span {
            file.seek(SeekFrom::Start(span.first)).await?;
        }
        Ok(whole(ReaderStream::with_capacity(file.take(length), CHUNK), length))
    }
}

/// Fails at the end when fewer bytes have come.
fn whole(
    chunks: impl Stream<Item = io::Result<Bytes>> + Send, length: u64,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let state = (Box::pin(chunks), length, false);
    futures::stream::unfold(state, |(mut chunks, left, ended)| async move {
        if ended {
            return None;
        }
        match chunks.next().await {
            Some(Ok(bytes)) => {
                let left = left.saturating_sub(bytes.len() as u64);
                Some((Ok(bytes), (chunks, left, false)))
            }
            Some(Err(e)) => Some((Err(e), (chunks, left, true))),
            None if left > 0 => {
                let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read");
                Some((Err(cut), (chunks, left, true)))
            }
            None => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_part_or_the_whole() {
        let part = |range: &str| span(range, 100).map(|span| span.map(|s| (s.first, s.length)));
        assert_eq!(part("bytes=0-9").unwrap(), Some((0, 10)));
        assert_eq!(part("bytes=90-").unwrap(), Some((90, 10)));
        assert_eq!(part("bytes=-30").unwrap(), Some((70, 30)));
        assert_eq!(part("bytes=90-500").unwrap(), Some((90, 10)));
        for whole in ["bytes=0-1,5-6", "lines=1-2", "nonsense"] {
            assert_eq!(part(whole).unwrap(), None, "{whole}");
        }
        assert_eq!(part("bytes=100-").unwrap_err().trouble, Trouble::Range(100));
        assert_eq!(span("bytes=0-0", 0).unwrap_err().trouble, Trouble::Range(0));
    }

    #[tokio::test]
    async fn a_file_that_shrinks_ends_with_an_error() {
        let chunks = futures::stream::iter([Ok(Bytes::from_static(b"abc"))]);
        let read: Vec<_> = whole(chunks, 4).collect().await;
        assert_eq!(read[0].as_ref().unwrap(), "abc");
        assert_eq!(read[1].as_ref().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let chunks = futures::stream::iter([Ok(Bytes::from_static(b"abcd"))]);
        assert_eq!(whole(chunks, 4).count().await, 1);
    }
}
