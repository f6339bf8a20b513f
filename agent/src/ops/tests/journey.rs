use super::*;
use crate::logs::{From, HistoryQuery};
use crate::ops::postgres;
use futures::StreamExt;
use ocore_shared::ids::TerminalId;
use ocore_shared::logs::LogFilter;
use ocore_shared::odoo::settings::{Smtp, SmtpEncryption};
use ocore_shared::protocol::events::AgentEvent;
use ocore_shared::protocol::health::{CheckState, HealthState};
use ocore_shared::protocol::logs::LogRecord;
use ocore_shared::protocol::odoo::{InstanceRunning, InstanceUpdate};
use ocore_shared::protocol::terminals::{Frame, TerminalOpen, TerminalTarget};
use std::sync::Mutex;

/// From nothing to a sign-in page, through all that is done with an instance, to nothing again.
#[tokio::test(flavor = "multi_thread")]
async fn provision_use_and_remove() {
    let mut lab = Lab::new().await;
    let nameless = lab.nameless_volumes().await;
    let job = lab.provision().await;
    succeeded(&job);
    let running: InstanceRunning = serde_json::from_value(job.result.unwrap()).unwrap();
    println!("  {running:?}");
    assert!(running.image_digest.starts_with("sha256:"));
    let address = ([127, 0, 0, 1], running.http_port).into();
    assert_eq!(http::request(address, "/web/login", None).await.unwrap().0, 200);
    the_admin_signs_in(&lab, address).await;
    nothing_secret_shows(&lab).await;
    the_country_is_set(&lab).await;
    the_controller_hears_of_it(&lab, &running.container_id).await;
    let again = lab.provision().await;
    failed_with(&again, "instance_exists");

    let (seen, viewer) = follow(&lab);
    succeeded(&lab.control("instance_stop").await);
    assert!(http::request(address, "/web/login", None).await.is_err());
    assert_eq!(state(&lab, "postgres").await, "exited");
    succeeded(&lab.control("instance_start").await);
    assert_eq!(http::request(address, "/web/login", None).await.unwrap().0, 200);
    shell_says_hello(&lab).await;

    lab.spec.env.insert("OCORE_MARK".into(), "one two".into());
    lab.spec.limits.memory_mb = 1536;
    let job = lab.run("instance_update", &InstanceUpdate { spec: lab.spec.clone() }).await;
    succeeded(&job);
    let renewed: InstanceRunning = serde_json::from_value(job.result.unwrap()).unwrap();
    assert_ne!(renewed.container_id, running.container_id);
    let container = format!("ocore-{}-postgres", lab.spec.slug);
    let docker = &lab.agent.host.docker;
    let buffers = postgres::sql(docker, &container, &lab.spec.database_name, "SHOW shared_buffers;").await.unwrap();
    assert_eq!(buffers, "384MB", "PostgreSQL knows of its memory");
    assert_eq!(http::request(address, "/web/login", None).await.unwrap().0, 200);
    the_log_has_every_line_once(&lab, seen, &renewed.container_id).await;
    settings_are_tried_first(&mut lab, address, &renewed.container_id).await;

    health_and_use_are_known(&lab).await;
    succeeded(&lab.control("instance_kill").await);
    assert_eq!(state(&lab, "odoo").await, "exited");
    succeeded(&lab.control("instance_restart").await);

    succeeded(&lab.remove(false).await);
    let kept = lab.leftovers().await;
    assert_eq!(kept.iter().filter(|n| n.starts_with("ocore-")).count(), 2, "two volumes: {kept:?}");
    succeeded(&lab.remove(true).await);
    assert_eq!(lab.leftovers().await, Vec::<String>::new());
    succeeded(&lab.remove(true).await);
    println!("  nameless volumes: {nameless} before, {} after", lab.nameless_volumes().await);
    assert_eq!(lab.agent.host.logs.upstreams(), 1);
    viewer.abort();
    until("nothing is followed any more", async || (lab.agent.host.logs.upstreams() == 0).then_some(())).await;
    lab.finish().await;
}

/// What Odoo does not start with never reaches the Odoo that serves; what it starts with is in its file.
async fn settings_are_tried_first(lab: &mut Lab, address: std::net::SocketAddr, container: &str) {
    let good = lab.spec.clone();
    lab.spec.settings.server_wide_modules = vec!["there_is_no_such_module".into()];
    let job = lab.run("instance_update", &InstanceUpdate { spec: lab.spec.clone() }).await;
    assert_eq!(job.status, JobStatus::Failed);
    let failure = job.failure.unwrap();
    println!("  {}", failure.message);
    assert_eq!(failure.code, "unknown_module", "{}", failure.message);
    assert!(failure.message.contains("there_is_no_such_module"), "{}", failure.message);
    let host = &lab.agent.host;
    let odoo = format!("ocore-{}-odoo", lab.spec.slug);
    assert_eq!(host.docker.inspect(&odoo).await.unwrap().unwrap().id.as_deref(), Some(container), "the same serves");
    assert_eq!(http::request(address, "/web/login", None).await.unwrap().0, 200);

    lab.spec = good;
    lab.spec.settings.timezone = Some("Europe/Warsaw".into());
    lab.spec.settings.limit_time_real = Some(321);
    lab.spec.settings.smtp = Some(Smtp {
        host: "mail.example.com".into(),
        port: 587,
        encryption: SmtpEncryption::Starttls,
        user: Some("shop".into()),
        has_password: true,
        from: None,
        from_filter: None,
    });
    succeeded(&lab.run("instance_update", &InstanceUpdate { spec: lab.spec.clone() }).await);
    assert_eq!(http::request(address, "/web/login", None).await.unwrap().0, 200);
    let host = &lab.agent.host;
    let conf = std::fs::read_to_string(host.records.conf_path(lab.spec.instance_id)).unwrap();
    assert!(conf.contains("limit_time_real = 321\n"), "{conf}");
    assert!(conf.contains(&format!("smtp_password = {}\n", password(secret_names::SMTP_PASSWORD))));
    let sql = "SELECT tz FROM res_partner WHERE id = (SELECT partner_id FROM res_users WHERE login LIKE 'o%');";
    let postgres = format!("ocore-{}-postgres", lab.spec.slug);
    let zone = postgres::sql(&host.docker, &postgres, &lab.spec.database_name, sql).await.unwrap();
    assert_eq!(zone, "Europe/Warsaw");
    let files = std::fs::read_dir(host.records.dir(lab.spec.instance_id)).unwrap();
    let left: Vec<_> = files.flatten().filter(|f| f.file_name().to_string_lossy().starts_with("odoo.conf.")).collect();
    assert!(left.is_empty(), "{left:?}");
}

async fn the_admin_signs_in(lab: &Lab, address: std::net::SocketAddr) {
    let body = serde_json::json!({"jsonrpc": "2.0", "method": "call", "params": {
        "service": "common", "method": "login",
        "args": [lab.spec.database_name, lab.spec.admin_login, password("admin_password")],
    }});
    let (status, answer) = http::request(address, "/jsonrpc", Some(&body.to_string())).await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!((status, answer["result"].as_i64()), (200, Some(2)), "{answer}");
}

/// Neither in what Docker shows of the containers nor in what PostgreSQL logs nor in the record.
async fn nothing_secret_shows(lab: &Lab) {
    let host = &lab.agent.host;
    let record = std::fs::read_to_string(host.records.dir(lab.spec.instance_id).join("instance.json")).unwrap();
    let mut shown = vec![record];
    for role in ["odoo", "postgres"] {
        let name = format!("ocore-{}-{role}", lab.spec.slug);
        shown.push(format!("{:?}", host.docker.inspect(&name).await.unwrap().unwrap()));
        shown.push(host.docker.last_lines(&name, 10_000).await.unwrap());
    }
    for name in ["database_password", "cluster_password", "master_password", "admin_password"] {
        assert!(!shown.iter().any(|text| text.contains(&format!("{name} 'q"))), "{name} shows");
    }
}

/// What the event stream tells: it runs, and it is healthy. And what it uses.
async fn the_controller_hears_of_it(lab: &Lab, container: &str) {
    let mut reader = lab.agent.events.read(0);
    let told = async {
        loop {
            for envelope in reader.next().await.expect("events") {
                if let AgentEvent::Container(info) = envelope.event
                    && info.id == container
                    && info.health.as_deref() == Some("healthy")
                {
                    return info;
                }
            }
        }
    };
    let info = tokio::time::timeout(PATIENCE, told).await.expect("a healthy container is told");
    assert_eq!((info.state.as_str(), info.managed), ("running", true));
    assert!(info.ports[0].starts_with("127.0.0.1:2"), "{:?}", info.ports);
    let stats = lab.agent.host.docker.stats(container, chrono::DateTime::UNIX_EPOCH).await.unwrap().unwrap();
    println!("  {stats:?}");
    assert!(stats.memory_used_bytes.is_some_and(|n| n > 10_000_000));
    assert!(stats.pids.is_some_and(|n| n > 0));
}

/// What the observer has found by now, and what a sample holds.
async fn health_and_use_are_known(lab: &Lab) {
    let host = &lab.agent.host;
    let report = until("it is found healthy", async || {
        let mut reports = host.health.reports().into_iter();
        reports.find(|r| r.instance_id == lab.spec.instance_id && r.state() == HealthState::Healthy)
    })
    .await;
    println!("  {report:?}");
    let states: Vec<_> = report.checks.iter().map(|check| check.state).collect();
    assert_eq!(states, [CheckState::Ok, CheckState::Ok, CheckState::Ok, CheckState::NotApplicable]);
    assert_eq!(report.crashes.total, 0);

    let record = host.records.get(lab.spec.instance_id).unwrap();
    let sample = crate::instance_metrics::sample_once(host, &record).await.unwrap();
    println!("  {sample:?}");
    assert!(sample.database_bytes.is_some_and(|n| n > 5_000_000) && sample.database_connections.is_some());
    assert!(sample.memory_used_bytes.is_some_and(|n| n > 10_000_000) && sample.memory_rss_bytes.is_some());
    assert!(sample.processes.is_some_and(|n| n > 0) && sample.network_rx_bytes_per_second.is_none());
}

async fn the_country_is_set(lab: &Lab) {
    let container = format!("ocore-{}-postgres", lab.spec.slug);
    let query = "SELECT p.lang, c.code, r.name FROM res_company o JOIN res_partner p ON p.id = o.partner_id \
                 JOIN res_country c ON c.id = p.country_id JOIN res_currency r ON r.id = o.currency_id;\n\
                 SELECT value FROM ir_config_parameter WHERE key = 'web.base.url';\n\
                 SELECT pg_get_userbyid(datdba), datcollate FROM pg_database WHERE datname = current_database();";
    let answer = postgres::sql(&lab.agent.host.docker, &container, &lab.spec.database_name, query).await.unwrap();
    let port = lab.agent.host.records.get(lab.spec.instance_id).unwrap().http_port;
    let expected = format!("en_US|FR|EUR\nhttp://127.0.0.1:{port}\nshop_role|C");
    assert_eq!(answer, expected);
}

async fn state(lab: &Lab, role: &str) -> String {
    let found = lab.agent.host.docker.inspect(&format!("ocore-{}-{role}", lab.spec.slug)).await.unwrap().unwrap();
    found.state.unwrap().status.unwrap().to_string()
}

/// A viewer from before the first stop until the test ends it.
fn follow(lab: &Lab) -> (Arc<Mutex<Vec<LogRecord>>>, tokio::task::JoinHandle<()>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut view = lab.agent.host.logs.view(lab.spec.instance_id, From::Tail(10_000), true);
    let sink = seen.clone();
    let task = tokio::spawn(async move {
        while let Some(record) = view.next().await {
            sink.lock().unwrap().push(record.unwrap());
        }
    });
    (seen, task)
}

/// What was followed over a stop, a start and a recreation is what the history holds.
async fn the_log_has_every_line_once(lab: &Lab, seen: Arc<Mutex<Vec<LogRecord>>>, container: &str) {
    let hub = &lab.agent.host.logs;
    let history = hub.history(lab.spec.instance_id, &HistoryQuery { limit: 5000, ..Default::default() }).await.unwrap();
    let lines = until("the follower has caught up", async || {
        let seen = seen.lock().unwrap().clone();
        let last = history.lines.last().unwrap();
        seen.iter().any(|r| r.cursor == last.cursor).then_some(seen)
    })
    .await;
    let cursors = |lines: &[LogRecord]| lines.iter().map(|l| l.cursor.clone()).collect::<Vec<_>>();
    let followed = &lines[..history.lines.len().min(lines.len())];
    assert_eq!(cursors(followed), cursors(&history.lines));
    let marks: Vec<_> = history.lines.iter().filter(|l| l.stream == "mark").collect();
    assert_eq!(marks.len(), 1);
    assert!(marks[0].cursor.starts_with(&container[..12]));
    println!("  {} log lines followed over a stop and a recreation", lines.len());

    // Any cut: the rest is what follows.
    for cut in [0, history.lines.len() / 2, history.lines.len() - 2] {
        let cursor = history.lines[cut].cursor.parse().unwrap();
        let rest: Vec<_> =
            hub.view(lab.spec.instance_id, From::After(cursor), false).map(|r| r.unwrap()).collect().await;
        assert_eq!(cursors(&rest)[..history.lines.len() - cut - 1], cursors(&history.lines)[cut + 1..]);
    }
    // Pages of ten, put together, are the whole.
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let query = HistoryQuery { before, limit: 10, ..Default::default() };
        let page = hub.history(lab.spec.instance_id, &query).await.unwrap();
        pages.splice(0..0, page.lines);
        match page.previous_cursor {
            Some(cursor) => before = Some(cursor.parse().unwrap()),
            None => break,
        }
    }
    // More may have been written since.
    assert_eq!(cursors(&pages)[..history.lines.len()], cursors(&history.lines));
    let query = HistoryQuery {
        limit: 50,
        filter: LogFilter { text: Some("modules loaded".into()), level: Some("INFO".into()), ..Default::default() },
        ..Default::default()
    };
    let found = hub.history(lab.spec.instance_id, &query).await.unwrap();
    assert!(
        found.lines.len() >= 2 && found.lines.iter().all(|l| l.text.to_lowercase().contains("modules loaded")),
        "{found:?}"
    );
}

async fn shell_says_hello(lab: &Lab) {
    let terminals = &lab.agent.host.terminals;
    let instance_id = lab.spec.instance_id;
    for target in [
        TerminalTarget::InstanceShell { instance_id },
        TerminalTarget::OdooShell { instance_id, database_name: lab.spec.database_name.clone() },
    ] {
        let id = TerminalId::new();
        let odoo = matches!(target, TerminalTarget::OdooShell { .. });
        terminals.open(TerminalOpen { id, target, cols: 91, rows: 33, actor: "test".into() }).await.unwrap();
        let terminal = terminals.find(id).unwrap();
        let typed: &[u8] =
            if odoo { b"print('he' + 'llo', env.user.id)\nexit()\n" } else { b"echo he''llo; stty size; exit 7\n" };
        assert!(terminal.send(crate::terminals::Input::Data(typed.into())).await);
        let (text, code) = read_all(terminal.attach(0)).await;
        let expected = if odoo { "hello 1" } else { "hello\r\n33 91\r\n" };
        assert!(text.contains(expected), "{text}");
        assert_eq!(code, if odoo { 0 } else { 7 });
        terminals.close(id).await;
    }
}

async fn read_all(mut attachment: crate::terminals::Attachment) -> (String, i32) {
    let mut bytes = Vec::new();
    loop {
        match tokio::time::timeout(PATIENCE, attachment.next()).await.unwrap() {
            Some(Frame::Data(data)) => bytes.extend_from_slice(&data),
            Some(Frame::Exit(code)) => return (String::from_utf8_lossy(&bytes).into_owned(), code),
            Some(_) => {}
            None => panic!("no exit"),
        }
    }
}

/// An agent that ends in the middle goes on with the container that it had started.
#[tokio::test(flavor = "multi_thread")]
async fn a_provision_outlives_the_agent() {
    let lab = Lab::new().await;
    let id = lab.begin("instance_provision", &lab.spec).await;
    let init = format!("ocore-{}-init", lab.spec.slug);
    until("modules are being loaded", async || {
        let (lines, _) = lab.agent.engine.log_page(id, 0).unwrap().unwrap();
        lines.iter().any(|l| l.text.contains("Loading module")).then_some(())
    })
    .await;
    let container = lab.agent.host.docker.inspect(&init).await.unwrap().unwrap().id;
    let lab = lab.restarted().await;
    assert_eq!(lab.agent.host.docker.inspect(&init).await.unwrap().unwrap().id, container);
    succeeded(&lab.end(id).await);
    let (mut lines, mut after) = (Vec::new(), 0);
    while let Some((page, _)) = lab.agent.engine.log_page(id, after).unwrap().filter(|(page, _)| !page.is_empty()) {
        after = page.last().unwrap().seq;
        lines.extend(page);
    }
    assert!(lines.iter().zip(1..).all(|(line, seq)| line.seq == seq), "no gap");
    for module in ["base", "web"] {
        let told = lines.iter().filter(|l| l.text.contains(&format!("Loading module {module} ("))).count();
        assert_eq!(told, 1, "{module}");
    }
    assert_eq!(lines.iter().filter(|l| l.text.contains("its log is read from where it was left")).count(), 1);
    succeeded(&lab.remove(true).await);
    assert_eq!(lab.leftovers().await, Vec::<String>::new());
    lab.finish().await;
}
