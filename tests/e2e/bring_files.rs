//! Files of an instance, brought and fetched with curl as people do it, while agent and controller are killed.

use ocore_tests::client::{Client, text};
use ocore_tests::processes::Controller;
use ocore_tests::provisioning::{CONTROL, PROVISION, Provisioning};
use ocore_tests::wait_for;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

const SIZE: usize = 48 * 1024 * 1024;
const TUS: &str = "Tus-Resumable: 1.0.0";
const PART: &str = "Content-Type: application/offset+octet-stream";

struct Curl<'a> {
    ada: &'a Client,
    files: String,
}

impl Curl<'_> {
    fn begin(&self, arguments: &[&str], path: &str) -> Child {
        let key = format!("Authorization: Bearer {}", self.ada.token.as_deref().expect("a token"));
        let url = if path.starts_with("/api/") { path.to_owned() } else { format!("{}{path}", self.files) };
        let mut command = Command::new("curl");
        command.args(["-sS", "-H", &key]).args(arguments).arg(format!("http://127.0.0.1:{}{url}", self.ada.port));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command.spawn().expect("curl runs")
    }

    /// What it prints.
    async fn run(&self, arguments: &[&str], path: &str) -> String {
        let output = self.begin(arguments, path).wait_with_output().await.expect("curl ends");
        assert!(output.status.success(), "{arguments:?} {path}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    async fn json(&self, arguments: &[&str], path: &str) -> Value {
        let text = self.run(arguments, path).await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {text}"))
    }

    /// Bytes of an upload that are on the server; None while either side is away.
    async fn offset(&self, upload: &str) -> Option<usize> {
        let answer = self.ada.try_call(http::Method::GET, upload, &[], None).await.ok()?;
        answer.body["offset"].as_u64().and_then(|offset| usize::try_from(offset).ok())
    }
}

/// Bytes that nowhere repeat.
fn content() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..SIZE / 8).flat_map(|_| next()).collect()
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("a name in UTF-8")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_comes_whole_whoever_is_killed_meanwhile() {
    let mut controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (mut agent, server) = controller.add_server(&ada, "first").await;
    let server = text(&server, "id");
    let provisioning = Provisioning::begin(&ada, &server, "files").await;
    assert_eq!(ada.job_end(&provisioning.job, PROVISION).await["status"], "succeeded");
    let id = provisioning.id;
    let curl = Curl { ada: &ada, files: format!("/api/instances/{id}/files") };
    let dir = tempfile::tempdir().expect("a directory");
    let (source, part, back) = (dir.path().join("large"), dir.path().join("part"), dir.path().join("back"));
    let content = content();
    std::fs::write(&source, &content).expect("the file to bring");

    // In parts: once the agent is killed in the middle, once the controller.
    let metadata = "Upload-Metadata: filename bGFyZ2UuYmlu";
    let length = format!("Upload-Length: {SIZE}");
    let begun = curl.json(&["-X", "POST", "-H", TUS, "-H", metadata, "-H", &length], "/tus?path=addons").await;
    let upload = format!("{}/tus/{}", curl.files, text(&begun, "id"));
    let mut offset = 0;
    for kills_agent in [true, false] {
        std::fs::write(&part, &content[offset..]).expect("the rest");
        let at = format!("Upload-Offset: {offset}");
        let data = format!("@{}", shown(&part));
        let slow = ["-X", "PATCH", "-H", TUS, "-H", PART, "-H", &at, "--limit-rate", "6M", "--data-binary", &data];
        let mut sending = curl.begin(&slow, &upload);
        let before = offset;
        wait_for("some of it on the server", Duration::from_secs(30), || async {
            curl.offset(&upload).await.filter(|there| *there > before + 1024 * 1024)
        })
        .await;
        if kills_agent {
            agent.kill();
            agent.run();
        } else {
            controller.kill();
            controller.run().await;
        }
        sending.kill().await.expect("curl is ended");
        ada.server_online(&server).await;
        offset = wait_for("how far it is", Duration::from_secs(30), || curl.offset(&upload)).await;
        assert!(offset > before && offset < SIZE, "{offset} bytes after {before}");
    }
    std::fs::write(&part, &content[offset..]).expect("the rest");
    let (at, data) = (format!("Upload-Offset: {offset}"), format!("@{}", shown(&part)));
    // The controller may still believe that the part before is coming in.
    let rest = ["-X", "PATCH", "-H", TUS, "-H", PART, "-H", &at, "--data-binary", &data, "-w", "%{http_code}"];
    wait_for("the rest to be taken", Duration::from_secs(60), || async {
        let said = curl.run(&rest, &upload).await;
        assert!(said == "204" || said.contains("upload_busy"), "{said}");
        (said == "204").then_some(())
    })
    .await;

    // Fetched in two halves, it is what was brought.
    let download = "/download?path=addons/large.bin";
    curl.run(&["-r", "0-9999999", "-o", shown(&back)], download).await;
    curl.run(&["-C", "-", "-o", shown(&back)], download).await;
    assert!(std::fs::read(&back).expect("what came back") == content, "what came back is what was brought");

    // At once, and not over what is there.
    let form = format!("file=@{};filename=large.bin", shown(&source));
    let refused = curl.json(&["-F", &form], "/upload?path=addons").await;
    assert_eq!(refused["error"]["code"], "file_exists", "{refused}");
    let placed = curl.json(&["-F", &form], "/upload?path=addons&overwrite=true").await;
    assert_eq!((&placed["size"], &placed["mode"]), (&json!(SIZE), &json!("0644")), "{placed}");
    let listed = ada.get(&format!("{}?path=addons", curl.files)).await.is(200);
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1), "{listed}");
    curl.run(&["-o", shown(&back)], "/download-zip?path=addons").await;
    assert!(std::fs::read(&back).expect("the zip").starts_with(b"PK"));

    // What is not theirs to change is not changed, and secrets are not shown.
    let conf = ada.get(&format!("{}/content?path=config/odoo.conf", curl.files)).await.is(200);
    assert!(text(&conf, "content").contains("[options]"), "{conf}");
    let wish = json!({"path": "config/new"});
    ada.post(&format!("{}/mkdir", curl.files), wish).await.refused(409, "file_read_only");
    let gone = ada.delete(&format!("{}?path=addons/large.bin", curl.files)).await.is(200);
    assert_eq!(gone["files"], 1, "{gone}");

    let accepted = ada.delete(&format!("/api/instances/{id}?purge=true")).await.is(202);
    assert_eq!(ada.job_end(&text(&accepted, "job_id"), CONTROL).await["status"], "succeeded");
}
