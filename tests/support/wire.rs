//! The wire between an agent and its controller, in the hands of a test: bytes flow, are held, or the wire is cut.

use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToController,
    ToAgent,
}

#[derive(Clone, Default)]
struct State {
    held: Vec<Way>,
    /// Ends every connection of now; replaced by a cut.
    connections: CancellationToken,
}

/// A relay on a port of its own. Ends with its drop.
pub struct Wire {
    pub port: u16,
    state: Arc<watch::Sender<State>>,
    _accepting: AbortOnDropHandle<()>,
}

impl Wire {
    /// Relay to this port of this machine.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = listener.local_addr().expect("its number").port();
        let state = Arc::new(watch::Sender::new(State::default()));
        let accepting = tokio::spawn(accept(listener, port, state.clone()));
        Self { port: own, state, _accepting: AbortOnDropHandle::new(accepting) }
    }

    /// From now on nothing arrives this way, and nobody is told: neither the bytes nor the end of a connection.
    pub fn hold(&self, way: Way) {
        self.state.send_modify(|s| s.held.push(way));
    }

    /// What was held on living connections arrives after all.
    pub fn flow(&self) {
        self.state.send_modify(|s| s.held.clear());
    }

    /// End every connection with a reset; what was held on them is lost.
    pub fn cut(&self) {
        self.state.send_modify(|s| std::mem::take(&mut s.connections).cancel());
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cut();
    }
}

async fn accept(listener: TcpListener, port: u16, state: Arc<watch::Sender<State>>) {
    while let Ok((agent, _)) = listener.accept().await {
        let Ok(controller) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
        for stream in [&agent, &controller] {
            stream.set_zero_linger().expect("a reset instead of an orderly end");
            stream.set_nodelay(true).expect("no delay");
        }
        let cut = state.borrow().connections.clone();
        let (from_agent, to_agent) = agent.into_split();
        let (from_controller, to_controller) = controller.into_split();
        let both = futures::future::join(
            pump(from_agent, to_controller, Way::ToController, state.subscribe()),
            pump(from_controller, to_agent, Way::ToAgent, state.subscribe()),
        );
        tokio::spawn(async move { cut.run_until_cancelled(both).await });
    }
}

async fn flowing(way: Way, state: &mut watch::Receiver<State>) {
    // An error means that the wire itself is gone, and with it the connection.
    let _ = state.wait_for(|s| !s.held.contains(&way)).await;
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        flowing(way, &mut state).await;
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    // Whoever still listens learns of the end, unless a held direction hides it.
    let _ = to.shutdown().await;
}
