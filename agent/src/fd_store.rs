//! File descriptors that outlive the agent: the launcher keeps them when its agent ends, systemd's FD store when the
//! service ends.
//!
//! Both are told by the same words, those of sd_notify(3). The launcher starts the agent with one end of a socket as
//! its standard input. What it keeps lies ready there; what changes is written back.

use crate::host::systemd;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::FdFlags;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;
use tokio::io::Interest;

/// As many as the kernel passes in one message.
const MAX: usize = 253;
/// Their names, and some more.
const MESSAGE: usize = 32 * 1024;
/// The other side reads at once, or is broken.
const PATIENCE: Duration = Duration::from_secs(1);
/// How the launcher's message begins: names as systemd writes them, `one:two`.
const HELD: &str = "LISTEN_FDNAMES=";

/// Descriptors by name. A name has no colon.
pub type Named = BTreeMap<String, OwnedFd>;

/// The launcher's side: what its agents have given it.
#[derive(Default)]
pub struct Keeper {
    held: Named,
}

impl Keeper {
    /// Begin with what systemd has kept. Once per process: it takes the descriptors over.
    pub fn from_systemd() -> Self {
        Self { held: from_systemd() }
    }

    /// Our end of a socket, and the standard input of an agent that finds there what is held.
    pub fn hand_over(&self) -> io::Result<(tokio::net::UnixDatagram, OwnedFd)> {
        let (near, far) = UnixDatagram::pair()?;
        let held: Vec<_> = self.held.iter().take(MAX).collect();
        let names: Vec<_> = held.iter().map(|(name, _)| name.as_str()).collect();
        let fds: Vec<_> = held.iter().map(|(_, fd)| fd.as_fd()).collect();
        send(&near, &format!("{HELD}{}", names.join(":")), &fds)?;
        near.set_nonblocking(true)?;
        Ok((tokio::net::UnixDatagram::from_std(near)?, far.into()))
    }

    /// Take what the agent says, for ever. Dropping it loses nothing.
    pub async fn serve(&mut self, agent: &tokio::net::UnixDatagram) {
        loop {
            match agent.async_io(Interest::READABLE, || receive(agent)).await {
                Ok((text, fds)) => self.take(&text, fds),
                Err(error) => {
                    tracing::warn!(%error, "the agent's terminals are not kept over its end any more");
                    return std::future::pending().await;
                }
            }
        }
    }

    /// Take what an agent that has ended had still said.
    pub fn finish(&mut self, agent: &tokio::net::UnixDatagram) {
        while let Ok((text, fds)) = receive(agent) {
            self.take(&text, fds);
        }
    }

    fn take(&mut self, text: &str, fds: Vec<OwnedFd>) {
        let field = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let Some(name) = field("FDNAME") else { return };
        if field("FDSTORE") == Some("1") {
            self.held.extend(fds.into_iter().map(|fd| (name.to_owned(), fd)));
        } else if field("FDSTOREREMOVE") == Some("1") {
            self.held.remove(name);
        }
    }
}

/// The agent's side.
pub struct FdStore {
    launcher: Option<UnixDatagram>,
}

impl FdStore {
    /// What was kept, by the launcher or, without one, by systemd. Once per process, which gives up its standard input.
    pub fn inherit() -> io::Result<(Self, Named)> {
        let stdin = io::stdin();
        match Self::from_launcher(stdin.as_fd())? {
            Some(inherited) => {
                // The programs that we start have no business with the launcher.
                rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
                Ok(inherited)
            }
            None => Ok((Self { launcher: None }, from_systemd())),
        }
    }

    /// None when that is no launcher's socket.
    fn from_launcher(stdin: BorrowedFd<'_>) -> io::Result<Option<(Self, Named)>> {
        let Ok((text, fds)) = receive(stdin) else { return Ok(None) };
        let Some(names) = text.strip_prefix(HELD) else { return Ok(None) };
        let launcher = UnixDatagram::from(stdin.try_clone_to_owned()?);
        launcher.set_write_timeout(Some(PATIENCE))?;
        let named = names.split(':').map(str::to_owned).zip(fds).collect();
        Ok(Some((Self { launcher: Some(launcher) }, named)))
    }

    /// Have it kept over the end of this process.
    pub fn keep(&self, name: &str, fd: impl AsFd) -> io::Result<()> {
        // Not polled: systemd would throw away a terminal whose last words nobody has read yet.
        self.tell(&format!("FDSTORE=1\nFDNAME={name}\nFDPOLL=0"), &[fd.as_fd()])
    }

    /// Have it closed there.
    pub fn forget(&self, name: &str) -> io::Result<()> {
        self.tell(&format!("FDSTOREREMOVE=1\nFDNAME={name}"), &[])
    }

    fn tell(&self, text: &str, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let launcher = self.launcher.as_ref().map_or(Ok(()), |socket| send(socket, text, fds));
        if let Some(systemd) = systemd::notify_socket()? {
            systemd.set_write_timeout(Some(PATIENCE))?;
            send(&systemd, text, fds)?;
        }
        launcher
    }
}

fn from_systemd() -> Named {
    let given = sd_listen_fds::get().unwrap_or_else(|error| {
        tracing::warn!(%error, "what systemd has kept cannot be had");
        Vec::new()
    });
    let mut named = Named::new();
    for (name, fd) in given {
        let fd = fd.into_std();
        // They come open for every program that we start.
        if let Err(error) = rustix::io::fcntl_setfd(&fd, FdFlags::CLOEXEC) {
            tracing::warn!(%error, name, "systemd has named a file descriptor that there is not");
            // Closing what is not open would end this process.
            std::mem::forget(fd);
            continue;
        }
        named.insert(name.unwrap_or_default(), fd);
    }
    named
}

fn send(socket: &UnixDatagram, text: &str, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many file descriptors for one message"));
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(text.as_bytes())], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Never waits.
fn receive(socket: impl AsFd) -> io::Result<(String, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut text = vec![0; MESSAGE];
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut text)], &mut control, flags)?;
    text.truncate(received.bytes);
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    Ok((String::from_utf8_lossy(&text).into_owned(), fds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    /// An agent that the launcher starts: its store and what it inherits.
    fn start(keeper: &Keeper) -> (tokio::net::UnixDatagram, FdStore, Named) {
        let (near, stdin) = keeper.hand_over().unwrap();
        let (store, inherited) = FdStore::from_launcher(stdin.as_fd()).unwrap().unwrap();
        (near, store, inherited)
    }

    #[tokio::test]
    async fn what_one_agent_gave_the_next_one_finds() {
        let mut keeper = Keeper::default();
        let (near, store, inherited) = start(&keeper);
        assert!(inherited.is_empty());
        let (mut reader, writer) = io::pipe().unwrap();
        store.keep("one", &writer).unwrap();
        store.keep("two", &reader).unwrap();
        drop((store, writer));
        keeper.finish(&near);

        let (near, store, mut inherited) = start(&keeper);
        assert_eq!(inherited.keys().collect::<Vec<_>>(), ["one", "two"]);
        let mut writer = io::PipeWriter::from(inherited.remove("one").unwrap());
        writer.write_all(b"still open").unwrap();
        store.forget("one").unwrap();
        drop(writer);
        // Heard while the agent runs, too.
        let deadline = tokio::time::timeout(Duration::from_millis(200), keeper.serve(&near));
        assert!(deadline.await.is_err(), "it listens for ever");
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "still open", "nobody holds the other end any more");
        assert_eq!(start(&keeper).2.into_keys().collect::<Vec<_>>(), ["two"]);
    }

    #[tokio::test]
    async fn a_full_store_fits_into_one_message() {
        let mut keeper = Keeper::default();
        let null = std::fs::File::open("/dev/null").unwrap();
        for n in 0..300 {
            let name = format!("ocore-terminal-00000000-0000-0000-0000-{n:012}");
            keeper.held.insert(name, null.as_fd().try_clone_to_owned().unwrap());
        }
        assert_eq!(start(&keeper).2.len(), MAX);
    }

    #[test]
    fn a_standard_input_of_another_kind_is_left_alone() {
        assert!(FdStore::from_launcher(std::fs::File::open("/dev/null").unwrap().as_fd()).unwrap().is_none());
        let (near, far) = UnixDatagram::pair().unwrap();
        assert!(FdStore::from_launcher(far.as_fd()).unwrap().is_none());
        near.send(b"hello").unwrap();
        assert!(FdStore::from_launcher(far.as_fd()).unwrap().is_none());
    }
}
