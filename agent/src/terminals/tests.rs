use super::*;
use ocore_shared::protocol::terminals::Frame;
use std::time::Instant;

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
