//! A name of one's own: from the wish to HTTPS, served through changes, restarts, renewals and the proxy's death.

use http::Method;
use ocore_tests::authority::{Authority, ELSEWHERE};
use ocore_tests::client::{Client, text};
use ocore_tests::docker;
use ocore_tests::processes::{Agent, Controller};
use ocore_tests::{free_port, wait_for};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const NAME: &str = "shop.example.test";
const CONSOLE: &str = "console.example.test";
const PROVISION: Duration = Duration::from_secs(240);
const CHANGE: Duration = Duration::from_secs(180);

/// What curl says of one request to the name on a port of this machine: code, time and where it is sent.
async fn curl(scheme: &str, port: u16, args: &[&str], path: &str) -> String {
    curl_at(NAME, scheme, port, args, path).await
}

/// The same for another name.
async fn curl_at(name: &str, scheme: &str, port: u16, args: &[&str], path: &str) -> String {
    let output = tokio::process::Command::new("curl")
        .args(["-sk", "-m", "60", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}"])
        .args(["--resolve", &format!("{name}:{port}:127.0.0.1")])
        .args(args)
        .arg(format!("{scheme}://{name}:{port}{path}"))
        .output()
        .await
        .expect("needs curl");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// People who ask for the sign-in page all the time.
struct Load {
    over: Arc<AtomicBool>,
    people: Vec<tokio::task::JoinHandle<(usize, Vec<String>)>>,
}

impl Load {
    fn start(port: u16) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let person = |over: Arc<AtomicBool>| async move {
            let (mut good, mut bad) = (0, Vec::new());
            while !over.load(Ordering::Relaxed) {
                match curl("https", port, &[], "/web/login").await {
                    code if code == "200" => good += 1,
                    other => bad.push(other),
                }
            }
            (good, bad)
        };
        let people = (0..4).map(|_| tokio::spawn(person(over.clone()))).collect();
        Self { over, people }
    }

    /// Nobody was turned away.
    async fn end(self, meanwhile: &str) {
        self.over.store(true, Ordering::Relaxed);
        let (mut good, mut bad) = (0, Vec::new());
        for person in self.people {
            let (more, worse) = person.await.expect("no panic");
            good += more;
            bad.extend(worse);
        }
        println!("{meanwhile}: {} requests, {} failed", good + bad.len(), bad.len());
        assert!(good > 20 && bad.is_empty(), "{good} were answered; the others got {bad:?}");
    }
}

struct Shop {
    ada: Client,
    server: String,
    id: String,
    domain: String,
    major: u32,
    https: u16,
    _agent: Agent,
}

impl Shop {
    async fn open(controller: &Controller, version: &str, https: u16) -> (Self, String) {
        let ada = controller.bootstrap().await;
        let (agent, server) = controller.add_server(&ada, "first").await;
        let address = server["facts"]["addresses"][0].as_str().expect("an address of this machine").to_owned();
        let server = text(&server, "id");
        let name = format!("Shop {}", uuid::Uuid::now_v7().simple());
        let major = version.split('.').next().and_then(|major| major.parse().ok()).expect("a version");
        // Since 16 the live bus comes with the web client by itself.
        let modules: &[&str] = if major < 16 { &["bus"] } else { &[] };
        let wish = json!({"name": name, "server_id": server, "odoo_version": version, "admin_login": "admin",
            "admin_password": "long enough 1", "limits": {"cpus": 1.5, "memory_mb": 2048}, "modules": modules});
        let accepted = ada.post("/api/instances", wish).await.is(202);
        let job = ada.job_end(&text(&accepted, "job_id"), PROVISION).await;
        assert_eq!(job["status"], "succeeded", "{job:#}");
        let (id, domain) = (text(&accepted, "id"), String::new());
        (Self { ada, server, id, domain, major, https, _agent: agent }, address)
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/instances/{}{rest}", self.id)
    }

    async fn put(&self, path: &str, body: Value) -> ocore_tests::client::Answer {
        self.ada.try_call(Method::PUT, path, &[], Some(body)).await.expect("an answer")
    }

    /// The job that an answer has named, which ends well.
    async fn done(&self, accepted: &Value) {
        let job = self.ada.job_end(&text(accepted, "job_id"), CHANGE).await;
        assert_eq!(job["status"], "succeeded", "{job:#}");
    }

    async fn domain(&self) -> Value {
        self.ada.get(&self.path(&format!("/domains/{}", self.domain))).await.is(200)
    }

    /// No job works on the instance any more, and its Odoo has this many workers or more.
    async fn settled(&self, workers: std::ops::Range<u64>) {
        wait_for("an instance that follows its domain", CHANGE, || async {
            let instance = self.ada.get(&self.path("")).await.is(200);
            let config = self.ada.get(&self.path("/config")).await.is(200);
            let running = instance["status"] == "running" && instance["active_job_id"].is_null();
            let sized = workers.contains(&config["sizing"]["workers"].as_u64()?);
            (running && sized && config["applied"] == true).then_some(())
        })
        .await;
    }

    async fn serves(&self) -> bool {
        curl("https", self.https, &[], "/web/login").await == "200"
    }

    /// The live bus is reached, which has a port of its own.
    async fn live_bus_is_reached(&self, port: u16) {
        if self.major >= 16 {
            let upgrade = "Connection: Upgrade,Upgrade: websocket,Sec-WebSocket-Version: 13,Sec-WebSocket-Key: \
                           dGhlIHNhbXBsZSBub25jZQ==";
            // Who does not say which page it is that opens it, as browsers do, is refused.
            let origin = format!("Origin: https://{NAME}:{port}");
            let mut args = vec!["--http1.1", "-m", "3", "-H", &origin];
            upgrade.split(',').for_each(|header| args.extend(["-H", header]));
            assert_eq!(curl("https", port, &args, "/websocket").await, "101");
            return;
        }
        // A poll is held until something happens; a worker of the other port would refuse it at once.
        let ask = r#"{"jsonrpc": "2.0", "method": "call", "params": {"channels": [], "last": 0}}"#;
        let args = ["-m", "3", "-H", "Content-Type: application/json", "-d", ask];
        let began = Instant::now();
        let code = curl("https", port, &args, "/longpolling/poll").await;
        assert!(code == "000" && began.elapsed() > Duration::from_millis(2900), "{code} at once");
    }
}

async fn odoo_serves_over_https(version: &str) {
    let (http, https) = (free_port(), free_port());
    let authority = Authority::start(http).await;
    let image = "localhost:5000/caddy:2".to_owned();
    let controller = Controller::start_with(vec![
        ("OCORE_DNS_SERVER", authority.dns.clone()),
        ("OCORE_PROXY_IMAGE", image),
        ("OCORE_DOMAIN", CONSOLE.into()),
    ])
    .await;
    let (mut shop, address) = Shop::open(&controller, version, https).await;
    authority.name_set(CONSOLE, &address).await;
    let proxy = format!("/api/servers/{}/proxy", shop.server);
    let managed = json!({"mode": "managed", "http_port": http, "https_port": https,
        "acme_directory": authority.directory, "acme_ca_certificate": authority.ca});
    shop.done(&shop.put(&proxy, managed.clone()).await.is(202)).await;

    // The controller shares this machine, so its own name is served too, to people and not as somebody on the machine.
    assert_eq!(shop.ada.get(&proxy).await.is(200)["console_host"], CONSOLE);
    wait_for("the console's own name", CHANGE, || async {
        (curl_at(CONSOLE, "https", https, &[], "/health/live").await == "200").then_some(())
    })
    .await;
    assert_ne!(curl_at(CONSOLE, "https", https, &[], "/metrics").await, "200");

    // A name that leads elsewhere is told where; once it leads here it has a certificate.
    let made = shop.ada.post(&shop.path("/domains"), json!({"host": NAME})).await.is(201);
    assert_eq!(made["state"], "pending_dns");
    shop.domain = text(&made, "id");
    let verify = shop.path(&format!("/domains/{}/verify", shop.domain));
    let refused = shop.ada.post(&verify, json!({})).await.refused(422, "dns_not_ready");
    assert!(text(&refused["error"], "message").contains(ELSEWHERE), "{refused}");
    authority.name_set(NAME, &address).await;
    let began = Instant::now();
    shop.ada.post(&verify, json!({})).await.is(202);
    let active = wait_for("a certificate", CHANGE, || async {
        let domain = shop.domain().await;
        (domain["state"] == "active").then_some(domain)
    })
    .await;
    println!("a certificate {:.1} s after it was verified", began.elapsed().as_secs_f32());
    assert!(text(&active["certificate"], "issuer").contains("Pebble"), "{active}");
    shop.settled(1..100).await;
    assert!(shop.serves().await);
    assert_eq!(curl("https", https, &[], "/web/database/manager").await, "403");
    assert_eq!(curl("http", http, &[], "/web/login?x=1").await, format!("308 https://{NAME}/web/login?x=1"));
    shop.live_bus_is_reached(https).await;

    // While people work: two changes, a restart, and settings that Odoo does not start with.
    let load = Load::start(https);
    for seconds in [900, 950] {
        shop.done(&shop.put(&shop.path("/config"), json!({"limit_time_real": seconds})).await.is(202)).await;
    }
    shop.done(&shop.ada.post(&shop.path("/restart"), json!({})).await.is(202)).await;
    let wrong = json!({"server_wide_modules": ["no_such_module"]});
    let accepted = shop.put(&shop.path("/config"), wrong).await.is(202);
    let job = shop.ada.job_end(&text(&accepted, "job_id"), CHANGE).await;
    assert_eq!((&job["status"], &job["failure"]["code"]), (&json!("failed"), &json!("unknown_module")), "{job:#}");
    load.end("two changes, a restart and a refused change").await;

    // Killed, it comes back with everything; renewed and replaced by hand it shows the newer certificate.
    let killed = Command::new("docker").args(["kill", "ocore-proxy"]).stdout(Stdio::null()).status();
    assert!(killed.expect("needs docker").success());
    let began = Instant::now();
    wait_for("the proxy again", CHANGE, || async { shop.serves().await.then_some(()) }).await;
    println!("the proxy served again {:.1} s after it was killed", began.elapsed().as_secs_f32());
    let before = shop.domain().await;
    let renew = shop.path(&format!("/domains/{}/renew", shop.domain));
    shop.done(&shop.ada.post(&renew, json!({})).await.is(202)).await;
    assert_ne!(shop.domain().await["certificate"]["serial"], before["certificate"]["serial"]);
    let key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(vec![NAME.into()]).and_then(|own| own.self_signed(&key)).expect("a certificate");
    let upload = json!({"certificate": own.pem(), "private_key": key.serialize_pem()});
    let certificate = shop.path(&format!("/domains/{}/certificate", shop.domain));
    shop.done(&shop.put(&certificate, upload).await.is(202)).await;
    assert_eq!(shop.domain().await["certificate"]["source"], "uploaded");
    assert!(shop.serves().await);

    nginx_leads_there_too(&shop, &proxy).await;
    let accepted = shop.ada.delete(&shop.path("?purge=true")).await.is(202);
    shop.done(&accepted).await;
    shop.put(&proxy, json!({"mode": "none"})).await;
    assert_eq!(docker::objects(&format!("sh.ocore.instance={}", shop.id)).await, Vec::<String>::new());
    drop(Command::new("docker").args(["volume", "rm", "ocore-proxy-data"]).output());
}

/// A proxy of one's own, set up with what the domain shows for it.
struct Nginx {
    child: Child,
    _dir: tempfile::TempDir,
}

impl Nginx {
    async fn start(snippet: &str, https: u16) -> Self {
        let dir = tempfile::Builder::new().prefix("ocore-nginx-").tempdir_in("/var/tmp").expect("a directory");
        let place = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        let key = KeyPair::generate().expect("a key");
        let own = CertificateParams::new(vec![NAME.into()]).and_then(|own| own.self_signed(&key));
        std::fs::write(place("fullchain.pem"), own.expect("a certificate").pem()).expect("a file");
        std::fs::write(place("privkey.pem"), key.serialize_pem()).expect("a file");
        let http = free_port();
        // Its own ports may be somebody's here, and its certificate is where whoever runs it has it.
        let site = snippet
            .replace("listen 80;", &format!("listen {http};"))
            .replace("listen 443 ssl;", &format!("listen {https} ssl;"))
            .replace(&format!("/etc/ssl/{NAME}/"), &place(""));
        let whole = format!(
            "daemon off; pid {pid}; error_log {log};\nevents {{}}\nhttp {{ access_log off;\n{site}\n}}\n",
            pid = place("pid"),
            log = place("error.log"),
        );
        std::fs::write(place("nginx.conf"), whole).expect("a file");
        let child = Command::new("nginx").args(["-p", &place(""), "-c", &place("nginx.conf")]).spawn();
        let this = Self { child: child.expect("needs nginx, installed by tests/lab/up"), _dir: dir };
        wait_for("nginx", Duration::from_secs(20), || async {
            tokio::net::TcpStream::connect(("127.0.0.1", https)).await.ok()
        })
        .await;
        this
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with it when it is told to, and not when it is killed.
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.child.id().cast_signed()),
            nix::sys::signal::Signal::SIGTERM,
        );
        let _ = self.child.wait();
    }
}

async fn nginx_leads_there_too(shop: &Shop, proxy: &str) {
    let https = free_port();
    shop.done(&shop.put(proxy, json!({"mode": "external", "https_port": https})).await.is(202)).await;
    shop.settled(0..1).await;
    let reach = async || -> Value {
        // Its DNS leads here, so nothing is left to do but to look.
        let verified = shop.ada.post(&shop.path(&format!("/domains/{}/verify", shop.domain)), json!({})).await;
        verified.is(200)["reach"].clone()
    };
    let wrong = |reach: &Value, why: &str| {
        assert!(reach["ok"] == false && text(reach, "message").contains(why), "{reach}");
    };
    wrong(&reach().await, "Nobody answers");
    {
        let _nginx = Nginx::start(&text(&shop.domain().await["snippets"], "nginx"), https).await;
        assert_eq!(reach().await["ok"], true, "one process serves the live bus, too");
        assert_eq!(curl("https", https, &[], "/web/database/manager").await, "403");
        shop.live_bus_is_reached(https).await;
    }

    // With workers the live bus has a port of its own, and a proxy that does not know it is found out.
    shop.done(&shop.put(&shop.path("/config"), json!({"workers": 2})).await.is(202)).await;
    shop.settled(2..3).await;
    let port = |instance: &Value, which: &str| instance[which].as_u64().expect("a port").to_string();
    let instance = shop.ada.get(&shop.path("")).await.is(200);
    let (plain, realtime) = (port(&instance, "http_port"), port(&instance, "realtime_port"));
    let snippet = text(&shop.domain().await["snippets"], "nginx");
    for (other, why) in [(plain, "live bus"), (free_port().to_string(), "live bus")] {
        let _nginx = Nginx::start(&snippet.replace(&format!(":{realtime};"), &format!(":{other};")), https).await;
        wrong(&reach().await, why);
    }
    {
        let stranger = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let elsewhere = stranger.local_addr().expect("its port").port();
        let http = port(&instance, "http_port");
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = stranger.accept().await {
                let (mut asked, page) =
                    ([0; 4096], b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
                let _ = socket.read(&mut asked).await;
                let _ = socket.write_all(page).await;
            }
        });
        let _nginx = Nginx::start(&snippet.replace(&format!(":{http};"), &format!(":{elsewhere};")), https).await;
        wrong(&reach().await, "but not this instance");
    }
    let _nginx = Nginx::start(&snippet, https).await;
    assert_eq!(reach().await["ok"], true);
    let domain = shop.domain().await;
    assert!(
        domain["certificate"]["source"] == "external" && domain["certificate"]["not_after"].is_string(),
        "{domain}"
    );
    assert_eq!(curl("https", https, &[], "/web/login").await, "200");
    shop.live_bus_is_reached(https).await;
}

#[cfg(not(feature = "full"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stand_in_for_16_serves_over_https() {
    odoo_serves_over_https("16.0").await;
}

#[cfg(feature = "full")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odoo_14_serves_over_https() {
    odoo_serves_over_https("14.0").await;
}

#[cfg(feature = "full")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odoo_19_serves_over_https() {
    odoo_serves_over_https("19.0").await;
}
