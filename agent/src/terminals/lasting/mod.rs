//! Terminals on the server that outlive the agent: by a restart of it, a crash, an update.
//!
//! The shell is a unit of systemd; our end of its terminal is kept by the launcher and by systemd; what it said and
//! who opened it is written down in /run. The next agent puts the three together again. Where one of them is missing,
//! the others are dropped.

mod files;
mod scrollback;

pub use files::{Files, Trace};

use super::host;
use super::ring::OutputRing;
use super::terminal::Terminal;
use crate::engine::OpError;
use crate::fd_store::{FdStore, Named};
use crate::host::pty::{self, Master, unit};
use ocore_shared::protocol::terminals::TerminalOpen;
use std::collections::HashSet;
use std::io;
use std::sync::Arc;

/// Cheap to clone.
#[derive(Clone)]
pub struct Lasting {
    store: Arc<FdStore>,
    files: Files,
}

impl Lasting {
    pub fn new(store: FdStore, files: Files) -> Self {
        Self { store: Arc::new(store), files }
    }

    pub async fn open(&self, request: &TerminalOpen) -> Result<Arc<Terminal>, OpError> {
        let failed =
            |e: io::Error| OpError::retryable("terminal_failed", format!("The server cannot keep a terminal: {e}."));
        let unit = unit::name(request.id);
        let (master, pts) = pty::open(request.cols, request.rows)?;
        let path = master.path().map_err(failed)?;
        let trace = self.files.create(request.clone(), unit.clone()).map_err(failed)?;
        if let Err(error) = unit::start(&unit, &path).await {
            // systemd may have begun with it.
            unit::stop(&unit).await;
            trace.remove();
            return Err(error);
        }
        // Had nobody held the shell's end until the shell has it, the terminal would have counted as left.
        drop(pts);
        let kept = self.store.keep(&unit, &master);
        let terminal = self.run(master, trace, OutputRing::default());
        if let Err(error) = kept {
            tracing::warn!(%error, unit, "a terminal will not outlive the agent");
            terminal.forget();
        }
        Ok(terminal)
    }

    /// Go on with what another agent has left; tidy up what cannot be gone on with.
    pub async fn resume(&self, inherited: Named) -> Vec<Arc<Terminal>> {
        let found = self.take_up(inherited);
        let units: HashSet<String> = found.iter().map(|terminal| unit::name(terminal.info().id)).collect();
        // Listed now, since later there are new ones; but nobody waits for shells that do not want to end.
        let mut strays = unit::list().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "systemd does not tell which shells there are");
            Vec::new()
        });
        strays.retain(|unit| !units.contains(unit));
        tokio::spawn(async move {
            for unit in strays {
                tracing::warn!(unit, "a shell without a terminal is ended");
                unit::stop(&unit).await;
            }
        });
        found
    }

    fn take_up(&self, mut inherited: Named) -> Vec<Arc<Terminal>> {
        let mut found = Vec::new();
        let records = self.files.records().unwrap_or_else(|error| {
            tracing::warn!(%error, "what was written down of terminals cannot be read; they are ended");
            Vec::new()
        });
        for record in records {
            let id = record.request.id;
            match inherited.remove(&record.unit).map(Master::new).transpose() {
                Ok(Some(master)) => {
                    tracing::info!(terminal = %id, actor = record.request.actor, "terminal goes on");
                    let (trace, ring) = self.files.resume(record);
                    found.push(self.run(master, trace, ring));
                }
                Ok(None) => {
                    tracing::warn!(terminal = %id, "nobody has kept this terminal; it is ended");
                    self.files.remove(id);
                }
                Err(error) => {
                    tracing::warn!(%error, terminal = %id, "this terminal cannot be gone on with; it is ended");
                    self.forget(&record.unit);
                    self.files.remove(id);
                }
            }
        }
        for name in inherited.keys() {
            tracing::warn!(name, "what was kept belongs to no terminal; it is closed");
            self.forget(name);
        }
        found
    }

    fn forget(&self, unit: &str) {
        if let Err(error) = self.store.forget(unit) {
            tracing::warn!(%error, unit, "a terminal that is not used any more stays open");
        }
    }

    fn run(&self, master: Master, trace: Trace, ring: OutputRing) -> Arc<Terminal> {
        let unit = trace.record().unit.clone();
        let ended = unit.clone();
        let ender = Box::new(move || -> futures::future::BoxFuture<'static, ()> {
            let unit = ended.clone();
            Box::pin(async move { unit::stop(&unit).await })
        });
        let (terminal, inputs) = Terminal::lasting(trace, ring, ender);
        host::take_input(&terminal, inputs, master.keyboard);
        let (this, output) = (self.clone(), terminal.clone());
        tokio::spawn(async move {
            let code = host::take_output(&output, master.output, unit::ended(&unit)).await;
            output.ended(code);
            // What the shell left running in its terminal ends with it.
            unit::stop(&unit).await;
            this.forget(&unit);
            output.forget();
        });
        terminal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminals::Input;
    use ocore_shared::clock::SystemClock;
    use ocore_shared::ids::TerminalId;
    use ocore_shared::protocol::terminals::{Frame, TerminalTarget};
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::time::Duration;

    fn request() -> TerminalOpen {
        TerminalOpen { id: TerminalId::new(), target: TerminalTarget::Host, cols: 80, rows: 24, actor: "ada".into() }
    }

    /// The terminals' units exist nowhere: what is tested is what becomes of files and descriptors.
    #[tokio::test]
    async fn a_terminal_goes_on_and_half_ones_are_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path().into(), Arc::new(SystemClock)).unwrap();
        let [whole, unkept] = [request(), request()].map(|request| {
            let mut trace = files.create(request.clone(), unit::name(request.id)).unwrap();
            trace.append(0, b"before ");
            request
        });
        let (master, pts) = pty::open(80, 24).unwrap();
        let mut shell = std::fs::File::options().read(true).write(true).open(master.path().unwrap()).unwrap();
        let copy = || master.as_fd().try_clone_to_owned().unwrap();
        let inherited = Named::from([(unit::name(whole.id), copy()), ("unwritten".into(), copy())]);

        let lasting = Lasting::new(FdStore::inherit().unwrap().0, files.clone());
        let [terminal] = lasting.take_up(inherited).try_into().ok().expect("one terminal");
        let info = terminal.info();
        assert_eq!((info.id, info.offset, info.survives_agent), (whole.id, 7, true));
        let left = files.records().unwrap();
        assert!(left.iter().all(|record| record.request.id != unkept.id), "its files are gone");

        let mut attachment = terminal.attach(3);
        assert_eq!(attachment.next().await, Some(Frame::Offset(3)));
        assert_eq!(attachment.next().await, Some(Frame::Data("ore ".into())));
        shell.write_all(b"and after").unwrap();
        let next = tokio::time::timeout(Duration::from_secs(20), attachment.next()).await.unwrap();
        assert_eq!(next, Some(Frame::Data("and after".into())));
        assert!(terminal.send(Input::Data("typed\n".into())).await);
        let mut typed = [0; 6];
        tokio::task::spawn_blocking(move || shell.read_exact(&mut typed).map(|()| typed)).await.unwrap().unwrap();
        drop((pts, master));

        terminal.forget();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
