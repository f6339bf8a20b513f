//! The last output of a terminal, by offset, so that whoever attaches again sees what was missed.

use bytes::Bytes;
use std::collections::VecDeque;

pub const CAPACITY: usize = 256 * 1024;

#[derive(Default)]
pub struct OutputRing {
    bytes: VecDeque<u8>,
    /// Offset of the byte after the last.
    end: u64,
}

impl OutputRing {
    /// One whose first byte has this offset.
    pub fn restored(start: u64, bytes: Vec<u8>) -> Self {
        Self { end: start + bytes.len() as u64, bytes: bytes.into() }
    }

    pub fn push(&mut self, data: &[u8]) {
        self.end += data.len() as u64;
        let data = &data[data.len().saturating_sub(CAPACITY)..];
        let excess = (self.bytes.len() + data.len()).saturating_sub(CAPACITY);
        self.bytes.drain(..excess);
        self.bytes.extend(data);
    }

    pub fn end(&self) -> u64 {
        self.end
    }

    /// Offset and bytes of what there is from `offset` on, at most `count`. A larger offset than asked for: what lay
    /// between is gone.
    pub fn read(&self, offset: u64, count: usize) -> (u64, Bytes) {
        let start = self.end - self.bytes.len() as u64;
        let offset = offset.clamp(start, self.end);
        let skip = (offset - start) as usize;
        (offset, self.bytes.iter().skip(skip).take(count).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_is_gone_and_offsets_tell() {
        let mut ring = OutputRing::default();
        ring.push(b"hello ");
        ring.push(b"world");
        assert_eq!(ring.read(6, 3), (6, Bytes::from_static(b"wor")));
        assert_eq!(ring.read(99, 3), (11, Bytes::new()));
        ring.push(&vec![b'x'; CAPACITY - 5]);
        assert_eq!(ring.read(0, 5), (6, Bytes::from_static(b"world")));
        ring.push(&vec![b'y'; 2 * CAPACITY]);
        let (offset, data) = ring.read(0, usize::MAX);
        assert_eq!((offset + data.len() as u64, data.len()), (ring.end(), CAPACITY));
    }
}
