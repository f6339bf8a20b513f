//! The journal that all agents of a swarm share: appended, synced in groups. Nothing is read back, for the swarm lives
//! as long as its process.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc;
use tokio::sync::oneshot;

/// Records in one commit.
const MAX_GROUP: usize = 4096;

type Request = (Vec<u8>, oneshot::Sender<()>);

#[derive(Clone)]
pub struct Disk(mpsc::Sender<Request>);

impl Disk {
    pub fn open(path: &Path) -> Self {
        let file = File::create(path).expect("the swarm's journal can be made");
        let (sender, queue) = mpsc::channel();
        std::thread::spawn(move || write(file, &queue));
        Self(sender)
    }

    /// Resolves when the record is on disk.
    pub async fn commit(&self, record: Vec<u8>) {
        let (done, written) = oneshot::channel();
        self.0.send((record, done)).expect("the writer lives as long as the swarm");
        written.await.expect("the writer answers everyone");
    }
}

/// Take what is queued, sync it once, answer everyone who waits.
fn write(mut file: File, queue: &mpsc::Receiver<Request>) {
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        group.extend(queue.try_iter().take(MAX_GROUP));
        let bytes: Vec<u8> = group.iter().flat_map(|(record, _)| record.iter().copied().chain([b'\n'])).collect();
        file.write_all(&bytes).and_then(|()| file.sync_data()).expect("the disk takes the swarm's journal");
        for (_, done) in group {
            // Who was cut off meanwhile does not wait any more.
            let _ = done.send(());
        }
    }
}
