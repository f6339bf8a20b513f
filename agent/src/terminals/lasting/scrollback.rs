//! The last output of a terminal in a file: the offsets of its start and its end, then a ring.

use crate::terminals::ring::{self, OutputRing};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

const HEADER: u64 = 16;
/// Larger than what is kept, so that output which is written but not yet counted overwrites nothing that counts.
const PIECE: usize = 16 * 1024;
const SIZE: u64 = (ring::CAPACITY + PIECE) as u64;

pub struct Scrollback {
    file: File,
    start: u64,
}

impl Scrollback {
    /// A new and empty one. Its header is written, so that it has its place however full the disk becomes.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        let this = Self { file, start: 0 };
        this.count(0)?;
        Ok(this)
    }

    /// An existing one, and what it has.
    pub fn open(path: &Path) -> io::Result<(Self, OutputRing)> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut header = [0; 8];
        let mut number = |at| file.read_exact_at(&mut header, at).map(|()| u64::from_be_bytes(header));
        let (begun, end) = (number(0)?, number(8)?);
        let kept = end.checked_sub(begun).ok_or(io::ErrorKind::InvalidData)?.min(ring::CAPACITY as u64);
        let mut bytes = vec![0; kept as usize];
        let start = end - kept;
        let before_wrap = bytes.len().min((SIZE - start % SIZE) as usize);
        let (first, second) = bytes.split_at_mut(before_wrap);
        file.read_exact_at(first, HEADER + start % SIZE)?;
        file.read_exact_at(second, HEADER)?;
        Ok((Self { file, start: begun }, OutputRing::restored(start, bytes)))
    }

    /// Output that begins at this offset. Counted once it is written, so that a crash in between leaves what was.
    pub fn append(&self, mut offset: u64, data: &[u8]) -> io::Result<()> {
        for piece in data.chunks(PIECE) {
            let before_wrap = piece.len().min((SIZE - offset % SIZE) as usize);
            self.file.write_all_at(&piece[..before_wrap], HEADER + offset % SIZE)?;
            self.file.write_all_at(&piece[before_wrap..], HEADER)?;
            offset += piece.len() as u64;
            self.count(offset)?;
        }
        Ok(())
    }

    /// Begin anew at this offset: what was said before it could not be written.
    pub fn restart(&mut self, offset: u64) -> io::Result<()> {
        self.start = offset;
        self.count(offset)
    }

    fn count(&self, end: u64) -> io::Result<()> {
        let mut header = [0; HEADER as usize];
        header[..8].copy_from_slice(&self.start.to_be_bytes());
        header[8..].copy_from_slice(&end.to_be_bytes());
        self.file.write_all_at(&header, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_wherever_it_wraps() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let scrollback = Scrollback::create(&path).unwrap();
        assert_eq!(Scrollback::open(&path).unwrap().1.end(), 0);
        let mut ring = OutputRing::default();
        for round in 0..300_usize {
            let data: Vec<u8> = (0..1 + round * 97 % 40_000).map(|n| (n * 31 + round) as u8).collect();
            scrollback.append(ring.end(), &data).unwrap();
            ring.push(&data);
            if round % 7 == 0 {
                let (_, read) = Scrollback::open(&path).unwrap();
                assert_eq!(read.end(), ring.end());
                assert_eq!(read.read(0, usize::MAX), ring.read(0, usize::MAX), "round {round}");
            }
        }
        assert!(std::fs::metadata(&path).unwrap().len() <= HEADER + SIZE, "it does not grow");
    }

    #[test]
    fn output_that_was_not_counted_spoils_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let scrollback = Scrollback::create(&path).unwrap();
        let data = vec![b'x'; 3 * ring::CAPACITY + 5];
        scrollback.append(0, &data).unwrap();
        let end = data.len() as u64;
        // Killed before the header.
        let at = end % SIZE;
        let piece = vec![b'y'; PIECE.min((SIZE - at) as usize)];
        scrollback.file.write_all_at(&piece, HEADER + at).unwrap();
        let (_, ring) = Scrollback::open(&path).unwrap();
        assert_eq!(ring.end(), end);
        assert!(ring.read(0, usize::MAX).1.iter().all(|b| *b == b'x'));
    }

    #[test]
    fn what_does_not_hang_together_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let mut scrollback = Scrollback::create(&path).unwrap();
        scrollback.restart(7).unwrap();
        scrollback.count(6).unwrap();
        assert!(Scrollback::open(&path).is_err());
        std::fs::write(&path, b"short").unwrap();
        assert!(Scrollback::open(&path).is_err());
    }
}
