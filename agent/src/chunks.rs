//! From what is written piece by piece on a thread to a stream of larger pieces.

use bytes::{Bytes, BytesMut};
use std::io::{self, Write};
use tokio::sync::mpsc;

/// Hands on what is written in pieces of at least so many bytes; the last one with a flush.
pub struct Chunks<E> {
    sender: mpsc::Sender<Result<Bytes, E>>,
    buffer: BytesMut,
    least: usize,
}

impl<E> Chunks<E> {
    pub fn new(sender: mpsc::Sender<Result<Bytes, E>>, least: usize) -> Self {
        Self { sender, buffer: BytesMut::new(), least }
    }
}

impl<E> Write for Chunks<E> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= self.least {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = self.buffer.split().freeze();
        self.sender.blocking_send(Ok(chunk)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
