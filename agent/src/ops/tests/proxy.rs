//! A real Caddy in front of an instance, with certificates by a real authority: Pebble, which asks for proof over HTTP.

use super::*;
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use ocore_shared::protocol::odoo::InstanceUpdate;
use ocore_shared::protocol::proxy::{
    Acme, CertificateInfo, CertificateIssue, ProxyApply, Site, SiteAccess, SiteCertificate, certificate_secret,
};
use ocore_tests::authority::Authority;
use ocore_tests::free_port;
use rcgen::{CertificateParams, KeyPair};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const NAME: &str = "erp.example.test";
const CADDY: &str = "localhost:5000/caddy:2";

/// One request over TLS, whoever answers.
async fn status(port: u16, path: &str) -> Result<u16, String> {
    let stream = crate::ops::proxy::tests::connect(port, NAME).await.ok_or("no TLS")?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    let request = hyper::Request::get(path).header("host", NAME).body(Empty::<Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
    Ok(answer.status().as_u16())
}

fn curl(port: u16, args: &[&str], path: &str) -> String {
    let scheme = if args.contains(&"--plain") { "http" } else { "https" };
    let args = args.iter().filter(|arg| **arg != "--plain");
    let output = Command::new("curl")
        .args(["-sk", "-m", "3", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}"])
        .args(["--resolve", &format!("{NAME}:{port}:127.0.0.1")])
        .args(args)
        .arg(format!("{scheme}://{NAME}:{port}{path}"))
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_serves_over_https() {
    let own = InstanceSpec {
        image: "localhost:5000/odoo:16.0".into(),
        odoo_version: "16.0".into(),
        limits: Limits { cpus: 1.5, memory_mb: 2048 },
        ..spec()
    };
    let mut lab = Lab::open(tempfile::tempdir().unwrap(), own).await;
    succeeded(&lab.provision().await);
    let (http, https) = (free_port(), free_port());
    let authority = Authority::start(http).await;
    authority.name_set(NAME, "127.0.0.1").await;
    let site = Site {
        host: NAME.into(),
        instance_id: lab.spec.instance_id,
        redirect_to: None,
        certificate: SiteCertificate::Acme,
        access: SiteAccess::default(),
        noindex: false,
    };
    let wish = ProxyApply {
        enabled: true,
        image: CADDY.into(),
        http_port: http,
        https_port: https,
        acme: Acme {
            directory: Some(authority.directory.clone()),
            email: None,
            ca_certificate: Some(authority.ca.clone()),
        },
        sites: vec![site],
        registries: vec![],
        console: None,
    };
    let holder = std::net::TcpListener::bind(("0.0.0.0", https)).unwrap();
    let refused = lab.run("proxy_apply", &wish).await;
    assert_eq!(refused.failure.unwrap().code, "port_taken");
    drop(holder);

    let began = Instant::now();
    succeeded(&lab.run("proxy_apply", &wish).await);
    let issued = lab.run("certificate_issue", &CertificateIssue { host: NAME.into(), renew: false }).await;
    succeeded(&issued);
    println!("  a certificate after {:.1} s", began.elapsed().as_secs_f32());
    let first: CertificateInfo = serde_json::from_value(issued.result.unwrap()).unwrap();
    assert!(first.issuer.contains("Pebble"), "{first:?}");

    // Behind the proxy, with workers.
    (lab.spec.has_proxy, lab.spec.public_host) = (true, Some(NAME.into()));
    succeeded(&lab.run("instance_update", &InstanceUpdate { spec: lab.spec.clone() }).await);
    assert_eq!(status(https, "/web/login").await, Ok(200));
    assert_eq!(status(https, "/web/database/manager").await, Ok(403));
    assert_eq!(curl(http, &["--plain"], "/web/login?x=1"), format!("308 https://{NAME}/web/login?x=1"));
    let upgrade = [
        "--http1.1",
        "-H",
        "Connection: Upgrade",
        "-H",
        "Upgrade: websocket",
        "-H",
        "Sec-WebSocket-Version: 13",
        "-H",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    assert_eq!(curl(https, &upgrade, "/websocket"), "101");
    let frozen = "SELECT string_agg(value, ' ' ORDER BY key) FROM ir_config_parameter WHERE key LIKE 'web.base.url%'";
    assert_eq!(lab.sql(frozen).await, format!("https://{NAME} True"));

    // Settings and a restart while people work: nobody is turned away.
    let load = Load::start(https);
    let mut other = wish.clone();
    for seconds in [900, 950] {
        lab.spec.settings.limit_time_real = Some(seconds);
        let update = lab.begin("instance_update", &InstanceUpdate { spec: lab.spec.clone() }).await;
        // Another configuration of the proxy, while requests wait for that Odoo.
        other.sites[0].access.hsts_seconds = Some(seconds);
        succeeded(&lab.run("proxy_apply", &other).await);
        succeeded(&lab.end(update).await);
    }
    succeeded(&lab.control("instance_restart").await);
    let (good, mut bad) = load.end().await;
    // Caddy before 2.7 has no certificates for the first moment of each configuration.
    let refused = bad.extract_if(.., |bad| bad.contains("no TLS")).count();
    assert!(refused < 5, "{refused} had no TLS");
    println!("  {good} requests during changes of settings and a restart, {} failed: {bad:?}", bad.len());
    if !bad.is_empty() {
        let log = lab.agent.host.docker.last_lines("ocore-proxy", 40).await;
        println!("  the proxy says: {}", log.unwrap_or_default());
    }
    assert!(good > 20 && bad.is_empty());

    // Killed, removed: it comes back with everything.
    for word in [&["kill"][..], &["rm", "--force"]] {
        assert!(Command::new("docker").args(word).arg("ocore-proxy").stdout(Stdio::null()).status().unwrap().success());
        let began = Instant::now();
        until("the proxy serves again", async || (status(https, "/web/login").await == Ok(200)).then_some(())).await;
        println!("  back {:.1} s after {word:?}", began.elapsed().as_secs_f32());
    }
    let renewed = lab.run("certificate_issue", &CertificateIssue { host: NAME.into(), renew: true }).await;
    succeeded(&renewed);
    let second: CertificateInfo = serde_json::from_value(renewed.result.unwrap()).unwrap();
    assert_ne!(second.serial, first.serial);

    // One of one's own, a realm with a password, and somebody who may not come in.
    let key = KeyPair::generate().unwrap();
    let mut given = CertificateParams::new(vec![NAME.into()]).unwrap();
    given.distinguished_name.push(rcgen::DnType::CommonName, "by hand");
    let chain = given.self_signed(&key).unwrap().pem();
    let mut own = wish.clone();
    own.sites[0].certificate = SiteCertificate::Given { chain };
    // Of "sesame".
    let hash = "$2b$05$F2d9Q1v3T8n5j0G9kYw0lOeX3oY4nVnC0u8pM1yq9bK9oYxR2u8bC".to_owned();
    own.sites[0].access = SiteAccess { basic_auth: [("ada".to_owned(), hash)].into(), ..SiteAccess::default() };
    let secret = (certificate_secret(NAME), key.serialize_pem());
    let id = lab.begin_with("proxy_apply", &own, [secret]).await;
    succeeded(&lab.end(id).await);
    let shown = until("the uploaded one is shown", async || {
        crate::ops::proxy::tests::shown(https, NAME).await.filter(|shown| shown.issuer == "by hand")
    });
    shown.await;
    assert_eq!(status(https, "/web/login").await, Ok(401));
    // The next one under the same name, as it is uploaded before the first has run out.
    let key = KeyPair::generate().unwrap();
    let mut given = CertificateParams::new(vec![NAME.into()]).unwrap();
    given.distinguished_name.push(rcgen::DnType::CommonName, "the next");
    let chain = given.self_signed(&key).unwrap().pem();
    own.sites[0].certificate = SiteCertificate::Given { chain: chain.clone() };
    // With the key of another one Caddy refuses it, and is as it was, after a restart too.
    let wrong = (certificate_secret(NAME), KeyPair::generate().unwrap().serialize_pem());
    let id = lab.begin_with("proxy_apply", &own, [wrong]).await;
    assert_eq!(lab.end(id).await.failure.unwrap().code, "proxy_refused");
    assert!(Command::new("docker").args(["restart", "ocore-proxy"]).stdout(Stdio::null()).status().unwrap().success());
    let shown = async |issuer: &str| {
        until("it is shown", async || {
            crate::ops::proxy::tests::shown(https, NAME).await.filter(|shown| shown.issuer == issuer)
        })
        .await
    };
    shown("by hand").await;
    let id = lab.begin_with("proxy_apply", &own, [(certificate_secret(NAME), key.serialize_pem())]).await;
    succeeded(&lab.end(id).await);
    shown("the next").await;
    succeeded(&lab.run("proxy_apply", &ProxyApply { enabled: false, ..wish }).await);
    assert!(lab.agent.host.docker.inspect("ocore-proxy").await.unwrap().is_none());
    succeeded(&lab.remove(true).await);
    lab.finish().await;
    drop(Command::new("docker").args(["volume", "rm", "ocore-proxy-data"]).output());
    drop(Command::new("docker").args(["network", "rm", "ocore-proxy"]).output());
}

/// People who ask for the sign-in page all the time.
struct Load {
    stop: Arc<AtomicBool>,
    good: Arc<AtomicU32>,
    workers: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(port: u16) -> Self {
        let (stop, good) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let worker = || {
            let (stop, good) = (stop.clone(), good.clone());
            async move {
                let mut bad = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match status(port, "/web/login").await {
                        Ok(200) => drop(good.fetch_add(1, Ordering::Relaxed)),
                        other => bad.push(format!("{other:?}")),
                    }
                }
                bad
            }
        };
        let workers = (0..4).map(|_| tokio::spawn(worker())).collect();
        Self { stop, good, workers }
    }

    async fn end(self) -> (u32, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut bad = Vec::new();
        for worker in self.workers {
            bad.extend(worker.await.unwrap());
        }
        (self.good.load(Ordering::Relaxed), bad)
    }
}
