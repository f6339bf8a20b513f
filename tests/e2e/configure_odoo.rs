//! Odoo is set, extended and given another password, while it serves or hardly noticed; what cannot be is refused first.

use http::Method;
use ocore_tests::client::{Client, text};
use ocore_tests::processes::Controller;
use ocore_tests::{docker, free_port, wait_for};
use serde_json::{Value, json};
use std::time::Duration;

const PROVISION: Duration = Duration::from_secs(240);
const CHANGE: Duration = Duration::from_secs(180);

struct Shop {
    ada: Client,
    id: String,
    port: u16,
}

impl Shop {
    fn path(&self, rest: &str) -> String {
        format!("/api/instances/{}{rest}", self.id)
    }

    /// The end of the job that an answer has named.
    async fn end(&self, accepted: &Value) -> Value {
        self.ada.job_end(&text(accepted, "job_id"), CHANGE).await
    }

    async fn put_config(&self, body: Value) -> Value {
        let answer = self.ada.try_call(Method::PUT, &self.path("/config"), &[], Some(body)).await.unwrap();
        self.end(&answer.is(202)).await
    }

    async fn change_modules(&self, body: Value) -> Value {
        let accepted = self.ada.post(&self.path("/modules"), body).await.is(202);
        self.end(&accepted).await
    }

    async fn module(&self, name: &str) -> Value {
        let list = self.ada.get(&self.path(&format!("/modules?name={name}"))).await.is(200);
        list["data"][0].clone()
    }

    async fn serves(&self) -> bool {
        let odoo = Client { port: self.port, token: None };
        odoo.try_call(Method::GET, "/web/login", &[], None).await.is_ok_and(|answer| answer.status == 200)
    }

    async fn container(&self) -> Option<String> {
        docker::inspect(&docker::odoo_container(&self.id).await).await.id
    }
}

/// A repository that a web server gives away as plain files.
struct Repository {
    dir: tempfile::TempDir,
    server: std::process::Child,
    url: String,
}

impl Repository {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let server = std::process::Command::new("python3")
            .args(["-m", "http.server", "--bind", "127.0.0.1", "--directory"])
            .arg(dir.path())
            .arg(port.to_string())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("needs python3");
        wait_for("a web server", Duration::from_secs(20), || async {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        let repository = Self { dir, server, url: format!("http://127.0.0.1:{port}/addons.git") };
        repository.git(&["init", "--quiet", "--initial-branch", "19.0", "work"]);
        repository.git(&["init", "--quiet", "--bare", "addons.git"]);
        repository
    }

    fn git(&self, args: &[&str]) -> String {
        let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
        let output = std::process::Command::new("git").args(identity).args(args).current_dir(self.dir.path()).output();
        let output = output.expect("needs git");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Commit a module with this partner in it; the commit.
    fn commit(&self, partner: &str) -> String {
        let module = self.dir.path().join("work/ocore_hello");
        std::fs::create_dir_all(&module).unwrap();
        let manifest = "{'name': 'Hello', 'version': '19.0.1.0.0', 'depends': ['base'], 'data': ['data.xml'], 'license': 'LGPL-3'}\n";
        let data =
            format!("<odoo><record id='p' model='res.partner'><field name='name'>{partner}</field></record></odoo>\n");
        for (file, text) in [("__manifest__.py", manifest), ("__init__.py", ""), ("data.xml", &data)] {
            std::fs::write(module.join(file), text).unwrap();
        }
        self.git(&["-C", "work", "add", "--all"]);
        self.git(&["-C", "work", "commit", "--quiet", "--message", partner]);
        self.git(&["-C", "work", "push", "--quiet", "../addons.git", "HEAD:refs/heads/19.0"]);
        self.git(&["-C", "addons.git", "update-server-info"]);
        self.git(&["-C", "work", "rev-parse", "HEAD"])
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

/// A module is brought from git and installed; the next commit updates it, and one that Odoo refuses changes nothing.
async fn addons_come_from_git(shop: &Shop) {
    let repository = Repository::new().await;
    let first = repository.commit("Hello");
    let sources = json!({"sources": [{"url": repository.url, "reference": "19.0"}]});
    let put = async || {
        let answer = shop.ada.try_call(Method::PUT, &shop.path("/addons"), &[], Some(sources.clone())).await.unwrap();
        shop.end(&answer.is(202)).await
    };
    let job = put().await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    let seen = shop.ada.get(&shop.path("/addons")).await.is(200);
    assert_eq!((&seen["sources"][0]["name"], &seen["sources"][0]["commit"]), (&json!("addons"), &json!(first)));
    let job = shop.change_modules(json!({"install": ["ocore_hello"]})).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    let second = repository.commit("Hello again");
    let job = put().await;
    assert_eq!((&job["status"], &job["result"]["updated"]), (&json!("succeeded"), &json!(["ocore_hello"])), "{job:#}");
    repository.commit("<not closed");
    let job = put().await;
    assert_eq!((&job["status"], &job["failure"]["code"]), (&json!("failed"), &json!("modules_failed")), "{job:#}");
    let seen = shop.ada.get(&shop.path("/addons")).await.is(200);
    assert_eq!(seen["sources"][0]["commit"], json!(second));
    assert!(shop.serves().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odoo_19_is_set_extended_and_given_another_password() {
    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (_agent, server) = controller.add_server(&ada, "first").await;
    let name = format!("Shop {}", uuid::Uuid::now_v7().simple());
    let wish = json!({"name": name, "server_id": text(&server, "id"), "odoo_version": "19.0", "admin_login": "admin",
        "admin_password": "long enough 1", "limits": {"cpus": 1.5, "memory_mb": 2048}});
    let accepted = ada.post("/api/instances", wish).await.is(202);
    let job = ada.job_end(&text(&accepted, "job_id"), PROVISION).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    let id = text(&accepted, "id");
    let port = ada.get(&format!("/api/instances/{id}")).await.is(200)["http_port"].as_u64().unwrap();
    let shop = Shop { ada, id, port: u16::try_from(port).unwrap() };

    // Refused by the controller at once, and by Odoo itself in a container beside the one that serves.
    let many = shop.ada.try_call(Method::PUT, &shop.path("/config"), &[], Some(json!({"workers": 20}))).await.unwrap();
    assert_eq!(many.refused(400, "validation_error")["error"]["details"]["field"], "workers");
    let serving = shop.container().await;
    let job = shop.put_config(json!({"server_wide_modules": ["no_such_module"]})).await;
    assert_eq!((&job["status"], &job["failure"]["code"]), (&json!("failed"), &json!("unknown_module")), "{job:#}");
    assert_eq!((shop.container().await, shop.serves().await), (serving, true), "the same container serves");

    let job = shop.put_config(json!({"server_wide_modules": [], "workers": 2, "limit_time_real": 500})).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    let config = shop.ada.get(&shop.path("/config")).await.is(200);
    assert_eq!((&config["applied"], &config["sizing"]["workers"]), (&json!(true), &json!(2)), "{config:#}");
    let log = shop.ada.get(&shop.path("/logs/history?q=HTTP%20service")).await.is(200);
    assert!(shop.serves().await, "{log:#}");

    assert_eq!(shop.module("base").await["state"], "installed");
    assert_eq!(shop.module("calendar").await["state"], "uninstalled");
    let refused = shop.change_modules(json!({"install": ["no_such_module"]})).await;
    assert_eq!(refused["failure"]["code"], "unknown_module", "{refused:#}");
    let job = shop.change_modules(json!({"install": ["calendar"]})).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    assert_eq!(shop.module("calendar").await["state"], "installed");
    let alone = shop.change_modules(json!({"uninstall": ["mail"]})).await;
    assert_eq!(alone["failure"]["code"], "module_needed", "{alone:#}");
    let job = shop.change_modules(json!({"uninstall": ["calendar"], "with_dependents": true})).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    assert_eq!(shop.module("calendar").await["state"], "uninstalled");

    addons_come_from_git(&shop).await;
    let accepted = shop.ada.post(&shop.path("/admin-password"), json!({"password": "another one 2"})).await.is(202);
    assert_eq!(shop.end(&accepted).await["status"], "succeeded");
    let instance = shop.ada.get(&shop.path("")).await.is(200);
    assert_eq!((&instance["status"], &instance["health"]), (&json!("running"), &json!("healthy")));
    let odoo = Client { port: shop.port, token: None };
    for (password, expected) in [("another one 2", true), ("long enough 1", false)] {
        let login = json!({"jsonrpc": "2.0", "method": "call", "params": {
            "db": instance["database_name"], "login": "admin", "password": password}});
        let answer = odoo.try_call(Method::POST, "/web/session/authenticate", &[], Some(login)).await.unwrap();
        assert_eq!(answer.body["result"]["uid"].is_number(), expected, "{}", answer.body);
    }
    let accepted = shop.ada.delete(&shop.path("?purge=true")).await.is(202);
    assert_eq!(shop.end(&accepted).await["status"], "succeeded");
    assert_eq!(docker::objects(&format!("sh.ocore.instance={}", shop.id)).await, Vec::<String>::new());
}
