//! A whole log as one text, oldest line first, for somebody who wants to keep it.

use super::hub::LogHub;
use crate::engine::OpError;
use crate::host::docker::lines::LinesOptions;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt;
use ocore_shared::ids::InstanceId;
use ocore_shared::logs::{Entries, LogFilter};
use ocore_shared::protocol::logs::LogRecord;
use std::io::Write;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Text between two looks at whether there is something to send.
const CHUNK: usize = 64 * 1024;
/// Chunks between the reading and the connection.
const QUEUE: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownloadForm {
    Text,
    Gzip,
}

type Chunk = Result<Bytes, OpError>;

impl LogHub {
    /// What the filter wants, as it comes. It breaks off with an error where it cannot be read further.
    pub async fn download(
        &self, instance: InstanceId, filter: LogFilter, form: DownloadForm,
    ) -> Result<ReceiverStream<Chunk>, OpError> {
        // What is wrong with Docker is told before the first byte.
        let sources = self.sources(instance).await?;
        let (sender, receiver) = mpsc::channel(QUEUE);
        let hub = self.clone();
        tokio::spawn(async move {
            let mut writer = Writer::new(form);
            let mut previous = None;
            for source in sources.iter().filter(|source| !source.is_outside(&filter)) {
                let anew = previous.replace(source.container()).is_some_and(|before| before != source.container());
                if anew && filter.is_empty() {
                    writer.line("-- The container was made anew. --");
                }
                let mut entries = Entries::new(&filter);
                let mut records = match source.read(hub.docker(), LinesOptions::default(), &filter).await {
                    Ok(records) => records,
                    Err(e) => return drop(sender.send(Err(e)).await),
                };
                while let Some(record) = records.next().await {
                    match record {
                        Ok(record) => entries.push(record, &mut |wanted: LogRecord| writer.line(&wanted.text)),
                        Err(e) => return drop(sender.send(Err(e)).await),
                    }
                    if let Some(chunk) = writer.chunk()
                        && sender.send(Ok(chunk)).await.is_err()
                    {
                        return;
                    }
                }
            }
            drop(sender.send(Ok(writer.finish())).await);
        });
        Ok(ReceiverStream::new(receiver))
    }
}

enum Writer {
    Text(Vec<u8>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl Writer {
    fn new(form: DownloadForm) -> Self {
        match form {
            DownloadForm::Text => Self::Text(Vec::new()),
            DownloadForm::Gzip => Self::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::default()))),
        }
    }

    fn line(&mut self, text: &str) {
        let parts = [text.as_bytes(), b"\n"];
        match self {
            Self::Text(buffer) => parts.iter().for_each(|part| buffer.extend_from_slice(part)),
            Self::Gzip(packer) => {
                // Into memory: that does not fail.
                parts.iter().for_each(|part| drop(packer.write_all(part)));
            }
        }
    }

    fn chunk(&mut self) -> Option<Bytes> {
        let buffer = match self {
            Self::Text(buffer) => buffer,
            Self::Gzip(packer) => packer.get_mut(),
        };
        (buffer.len() >= CHUNK).then(|| std::mem::take(buffer).into())
    }

    fn finish(self) -> Bytes {
        match self {
            Self::Text(buffer) => buffer.into(),
            Self::Gzip(packer) => packer.finish().unwrap_or_default().into(),
        }
    }
}
