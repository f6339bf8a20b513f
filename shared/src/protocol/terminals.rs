//! Terminals: opened by one request, attached to by another, so that an attachment may be lost and made again.
//!
//! `POST /terminals/{id}/attach?after=OFFSET` is a duplex stream of frames: one byte kind, four bytes big-endian
//! length, payload.

use crate::ids::{InstanceId, TerminalId};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// Body of `POST /terminals`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TerminalOpen {
    pub id: TerminalId,
    pub target: TerminalTarget,
    pub cols: u16,
    pub rows: u16,
    /// E-mail of the person, for the server's own log.
    pub actor: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TerminalTarget {
    /// A login shell on the server.
    Host,
    /// `bash`, or `sh` where there is none, in the instance's Odoo container.
    InstanceShell { instance_id: InstanceId },
    /// `odoo shell` in it.
    OdooShell { instance_id: InstanceId, database_name: String },
    /// The container's own standard streams.
    InstanceAttach { instance_id: InstanceId },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TerminalInfo {
    pub id: TerminalId,
    pub target: TerminalTarget,
    /// Whether it outlives a restart of the agent.
    pub survives_agent: bool,
    /// Offset of the next byte of output.
    pub offset: u64,
    /// Set when its process has ended.
    pub exit_code: Option<i32>,
}

/// One frame of an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Both ways: raw bytes.
    Data(Bytes),
    /// To the agent.
    Resize { cols: u16, rows: u16 },
    /// From the agent, first: the offset of the next data byte. Larger than asked for: bytes were dropped.
    Offset(u64),
    /// From the agent, last.
    Exit(i32),
}

/// Larger frames are refused.
pub const MAX_FRAME: usize = 64 * 1024;

impl Frame {
    pub fn encode(&self) -> Bytes {
        let (kind, payload): (u8, Bytes) = match self {
            Frame::Data(data) => (0, data.clone()),
            Frame::Resize { cols, rows } => {
                let mut b = BytesMut::with_capacity(4);
                b.put_u16(*cols);
                b.put_u16(*rows);
                (1, b.freeze())
            }
            Frame::Offset(offset) => (2, Bytes::copy_from_slice(&offset.to_be_bytes())),
            Frame::Exit(code) => (3, Bytes::copy_from_slice(&code.to_be_bytes())),
        };
        let mut out = BytesMut::with_capacity(5 + payload.len());
        out.put_u8(kind);
        out.put_u32(payload.len() as u32);
        out.extend_from_slice(&payload);
        out.freeze()
    }

    /// Take one whole frame off the front of `buffer`; None when more bytes are needed.
    pub fn decode(buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        if buffer.len() < 5 {
            return Ok(None);
        }
        let kind = buffer[0];
        let length = u32::from_be_bytes([buffer[1], buffer[2], buffer[3], buffer[4]]) as usize;
        if length > MAX_FRAME {
            return Err(FrameError::TooLarge(length));
        }
        if buffer.len() < 5 + length {
            return Ok(None);
        }
        buffer.advance(5);
        let mut payload = buffer.split_to(length).freeze();
        match (kind, length) {
            (0, _) => Ok(Some(Frame::Data(payload))),
            (1, 4) => Ok(Some(Frame::Resize { cols: payload.get_u16(), rows: payload.get_u16() })),
            (2, 8) => Ok(Some(Frame::Offset(payload.get_u64()))),
            (3, 4) => Ok(Some(Frame::Exit(payload.get_i32()))),
            _ => Err(FrameError::Malformed(kind, length)),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a terminal frame of {0} bytes is larger than {MAX_FRAME}")]
    TooLarge(usize),
    #[error("a terminal frame of kind {0} cannot have {1} bytes")]
    Malformed(u8, usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_cut() {
        let frames = [
            Frame::Offset(7),
            Frame::Data(Bytes::from_static("żółw\r\n".as_bytes())),
            Frame::Resize { cols: 120, rows: 40 },
            Frame::Exit(-1),
        ];
        let wire: Vec<u8> = frames.iter().flat_map(|f| f.encode()).collect();
        for cut in 0..wire.len() {
            let mut seen = Vec::new();
            let mut buffer = BytesMut::new();
            for part in [&wire[..cut], &wire[cut..]] {
                buffer.extend_from_slice(part);
                while let Some(frame) = Frame::decode(&mut buffer).unwrap() {
                    seen.push(frame);
                }
            }
            assert_eq!(seen, frames);
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn a_huge_frame_is_refused_before_it_is_read() {
        let mut buffer = BytesMut::from(&[0u8, 0xff, 0xff, 0xff, 0xff][..]);
        assert!(matches!(Frame::decode(&mut buffer), Err(FrameError::TooLarge(_))));
    }
}
