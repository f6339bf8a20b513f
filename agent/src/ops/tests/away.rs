//! Docker goes away for a moment. The agent reaches it by a wire that the test cuts.

use super::*;
use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// Between the agent and Docker.
struct Wire(watch::Sender<bool>);

impl Wire {
    fn new(socket: &std::path::Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let cut = watch::Sender::new(false);
        let wire = Self(cut.clone());
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut cut = cut.subscribe();
                tokio::spawn(async move {
                    let carry = async {
                        let mut far = UnixStream::connect("/var/run/docker.sock").await?;
                        copy_bidirectional(&mut near, &mut far).await
                    };
                    tokio::select! {
                        biased;
                        _ = cut.wait_for(|cut| *cut) => {}
                        _ = carry => {}
                    }
                });
            }
        });
        wire
    }

    fn cut(&self) {
        self.0.send_replace(true);
    }

    fn mend(&self) {
        self.0.send_replace(false);
    }
}

impl Lab {
    async fn by_wire() -> (Wire, Self) {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let wire = Wire::new(&socket);
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        let settings = format!("docker_socket = \"{}\"\n", socket.display());
        std::fs::write(dir.path().join("etc/agent.toml"), settings).unwrap();
        (wire, Self::open(dir, spec()).await)
    }

    async fn begin_and_load(&self) -> JobId {
        let id = self.begin("instance_provision", &self.spec).await;
        self.until_log(id, "Loading module").await;
        id
    }

    async fn until_log(&self, id: JobId, text: &str) {
        until(text, async || {
            let lines = self.agent.journal.log(id, 0, usize::MAX).unwrap();
            lines.iter().any(|l| l.text.contains(text)).then_some(())
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provision_outlives_a_docker_that_is_away() {
    let (wire, lab) = Lab::by_wire().await;
    let id = lab.begin_and_load().await;
    wire.cut();
    until("it is seen", async || {
        let job = lab.agent.engine.job(id).unwrap().unwrap();
        assert!(!job.status.is_terminal(), "{:?}", job.failure);
        job.steps.iter().find(|s| s.name == "initialise")?.message.clone()
    })
    .await;
    wire.mend();
    succeeded(&lab.end(id).await);
    let lines = lab.agent.journal.log(id, 0, usize::MAX).unwrap();
    let told = lines.iter().filter(|l| l.text.contains("Loading module base (")).count();
    assert_eq!(told, 1, "no line is told twice");
    succeeded(&lab.remove(true).await);
    assert_eq!(lab.leftovers().await, Vec::<String>::new());
    lab.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_waits_for_a_docker_that_is_away() {
    let (wire, lab) = Lab::by_wire().await;
    let id = lab.begin_and_load().await;
    wire.cut();
    lab.agent.engine.cancel(id).await.unwrap();
    lab.until_log(id, "is tried again").await;
    wire.mend();
    let job = lab.end(id).await;
    assert_eq!(job.status, JobStatus::Cancelled);
    assert_eq!(job.failure.unwrap().message, "The job was cancelled.", "nothing is left");
    assert_eq!(lab.leftovers().await, Vec::<String>::new());
    lab.finish().await;
}
