use super::*;
use ocore_shared::protocol::terminals::Frame;
use std::time::Instant;
use tokio::sync::mpsc;

fn terminals() -> (Terminals, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Terminals::new(DockerHost::new(&dir.path().join("none.sock")), dir.path()), dir)
}

fn request() -> TerminalOpen {
    TerminalOpen { id: TerminalId::new(), target: TerminalTarget::Host, cols: 80, rows: 24, actor: "test".into() }
}

async fn type_in(terminal: &Terminal, text: &str) {
    assert!(terminal.send(Input::Data(text.as_bytes().to_vec().into())).await);
}

/// Read until the output holds `wanted` or the process has ended.
async fn read_until(attachment: &mut Attachment, wanted: &str) -> (String, Option<i32>) {
    let mut bytes = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_secs(20), attachment.next()).await.expect("output in time") {
            Some(Frame::Data(data)) => bytes.extend_from_slice(&data),
            Some(Frame::Exit(code)) => return (String::from_utf8_lossy(&bytes).into_owned(), Some(code)),
            _ => {}
        }
        let text = String::from_utf8_lossy(&bytes);
        if text.contains(wanted) {
            return (text.into_owned(), None);
        }
    }
}

#[tokio::test]
async fn a_host_shell_is_a_terminal_and_tells_its_exit_code() {
    let (terminals, _dir) = terminals();
    let request = request();
    terminals.open(request.clone()).await.unwrap();
    let terminal = terminals.find(request.id).unwrap();
    assert!(terminal.send(Input::Resize { cols: 101, rows: 41 }).await);
    type_in(&terminal, "stty size; echo $TERM; exit 7\n").await;
    let mut attachment = terminal.attach(0);
    let (text, code) = read_until(&mut attachment, "\u{0}").await;
    assert!(text.contains("41 101\r\nxterm-256color"), "{text}");
    assert_eq!(code, Some(7));
    assert_eq!(terminal.info().exit_code, Some(7));
    terminals.close(request.id).await;
    assert!(terminals.list().is_empty());
}

#[tokio::test]
async fn an_attachment_may_be_lost_and_made_again() {
    let (terminals, _dir) = terminals();
    let request = request();
    terminals.open(request.clone()).await.unwrap();
    let terminal = terminals.find(request.id).unwrap();
    type_in(&terminal, "echo fi''rst\n").await;
    let (first, _) = read_until(&mut terminal.attach(0), "first\r\n").await;
    type_in(&terminal, "echo se''cond; exit 0\n").await;
    let mut again = terminal.attach(first.len() as u64);
    assert_eq!(again.next().await, Some(Frame::Offset(first.len() as u64)));
    let (rest, code) = read_until(&mut again, "\u{0}").await;
    assert!(rest.contains("second\r\n") && !rest.contains("first\r\n"), "{rest}");
    assert_eq!(code, Some(0));
    terminals.close(request.id).await;
}

#[tokio::test]
async fn a_reader_that_stops_does_not_stop_the_process() {
    let (terminals, _dir) = terminals();
    let request = request();
    terminals.open(request.clone()).await.unwrap();
    let terminal = terminals.find(request.id).unwrap();
    let mut attachment = terminal.attach(0);
    attachment.next().await;
    type_in(&terminal, "head -c 3000000 /dev/zero | tr '\\0' x; exit 3\n").await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while !terminal.has_ended() {
        assert!(Instant::now() < deadline, "the process waits for its reader");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut jumped = false;
    while let Some(frame) = attachment.next().await {
        jumped |= matches!(frame, Frame::Offset(offset) if offset > 2_000_000);
    }
    assert!(jumped, "the jump is marked");
    terminals.close(request.id).await;
}

#[tokio::test]
async fn closing_ends_the_whole_session() {
    let (terminals, _dir) = terminals();
    let request = request();
    terminals.open(request.clone()).await.unwrap();
    let terminal = terminals.find(request.id).unwrap();
    type_in(&terminal, "trap '' HUP; sleep 4321 & echo pid=$!.; sleep 4322\n").await;
    let (text, _) = read_until(&mut terminal.attach(0), ".\r\n").await;
    let pid = text.rsplit_once("pid=").unwrap().1.split('.').next().unwrap().to_owned();
    let alive = || std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.contains("4321"));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !alive() {
        assert!(Instant::now() < deadline, "{text}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    terminals.close(request.id).await;
    assert!(!alive());
}

#[tokio::test]
async fn the_policy_of_the_server_forbids() {
    let (terminals, dir) = terminals();
    std::fs::write(dir.path().join("policy.toml"), "terminals = false\n").unwrap();
    assert_eq!(terminals.open(request()).await.unwrap_err().code, "forbidden_by_policy");
}

/// One without a process, that tells when it is ended, and then is so once it may be.
fn bare(ended: &mpsc::UnboundedSender<TerminalId>, may_end: &CancellationToken) -> Arc<Terminal> {
    let request = request();
    let (ended, may_end, id) = (ended.clone(), may_end.clone(), request.id);
    let ender = move || -> futures::future::BoxFuture<'static, ()> {
        let (ended, may_end) = (ended.clone(), may_end.clone());
        Box::pin(async move {
            may_end.cancelled().await;
            ended.send(id).unwrap();
        })
    };
    Terminal::new(&request, Box::new(ender)).0
}

#[tokio::test(start_paused = true)]
async fn too_many_terminals_cost_the_one_that_was_left_first() {
    let (terminals, _dir) = terminals();
    let (ended, mut ends) = mpsc::unbounded_channel();
    let may_end = CancellationToken::new();
    may_end.cancel();
    let (mut ids, mut attached) = (Vec::new(), Vec::new());
    for n in 0..MAX_TERMINALS {
        assert!(terminals.room().is_ok());
        let terminal = bare(&ended, &may_end);
        let id = terminal.info().id;
        ids.push(id);
        terminals.table(|open| open.insert(id, terminal.clone()));
        // All but two, of which the later one was left first.
        if ![20, 40].contains(&n) {
            attached.push(terminal.attach(0));
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    drop(terminals.find(ids[20]).unwrap().attach(0));
    for left in [ids[40], ids[20]] {
        assert!(terminals.room().is_ok());
        assert_eq!(ends.recv().await, Some(left));
        assert!(terminals.find(left).is_none());
        let another = bare(&ended, &may_end);
        attached.push(another.attach(0));
        terminals.table(|open| open.insert(another.info().id, another.clone()));
    }
    assert_eq!(terminals.room().unwrap_err().code, "too_many_terminals", "nobody is thrown out");
    assert_eq!(terminals.list().len(), MAX_TERMINALS);
    // What has ended takes no place.
    terminals.find(ids[0]).unwrap().ended(0);
    assert!(terminals.room().is_ok());
}

#[tokio::test]
async fn whoever_closes_may_go_away() {
    let (terminals, _dir) = terminals();
    let (ended, mut ends) = mpsc::unbounded_channel();
    let may_end = CancellationToken::new();
    let terminal = bare(&ended, &may_end);
    let id = terminal.info().id;
    terminals.table(|open| open.insert(id, terminal));
    {
        let mut closing = std::pin::pin!(terminals.close(id));
        assert!(futures::poll!(closing.as_mut()).is_pending());
    }
    may_end.cancel();
    let end = tokio::time::timeout(Duration::from_secs(20), ends.recv()).await;
    assert_eq!(end.expect("its processes are ended all the same"), Some(id));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_looks_at_is_ended_all_at_once_and_the_rest_with_the_agent() {
    let (terminals, _dir) = terminals();
    let (ended, mut ends) = mpsc::unbounded_channel();
    let may_end = CancellationToken::new();
    let all = [(); 3].map(|()| bare(&ended, &may_end));
    for terminal in &all {
        terminals.table(|open| open.insert(terminal.info().id, terminal.clone()));
    }
    let attached = all[2].attach(0);
    let stop = CancellationToken::new();
    let running = tokio::spawn(terminals.clone().run(stop.clone()));
    tokio::time::sleep(IDLE + Duration::from_secs(60)).await;
    assert_eq!(terminals.list().len(), 1, "neither waits for the other's end");
    may_end.cancel();
    let mut left = [ends.recv().await.unwrap(), ends.recv().await.unwrap()];
    left.sort_by_key(|id| all.iter().position(|t| t.info().id == *id));
    assert_eq!(left, [all[0].info().id, all[1].info().id]);
    stop.cancel();
    running.await.unwrap();
    assert_eq!(ends.recv().await, Some(all[2].info().id));
    drop(attached);
}
