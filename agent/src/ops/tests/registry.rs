//! A registry that asks who one is: a real one, with its own list of users.

use super::*;
use ocore_shared::protocol::odoo::InstanceProvision;
use ocore_shared::protocol::registries::RegistryLogin;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const USER: &str = "puller";
const PASSWORD: &str = "only-in-memory-7f3a";
const SECRET: &str = "memory.registry.lab";

struct Registry {
    dir: tempfile::TempDir,
    server: Child,
    address: String,
}

impl Registry {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let hash = "import crypt, sys; print(crypt.crypt(sys.argv[1], crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=32)))";
        let hash = said(Command::new("python3").args(["-W", "ignore", "-c", hash, PASSWORD]));
        std::fs::write(dir.path().join("htpasswd"), format!("{USER}:{hash}\n")).unwrap();
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {0}/data}}}}\n\
             http: {{addr: \"127.0.0.1:{port}\"}}\nauth: {{htpasswd: {{realm: lab, path: {0}/htpasswd}}}}\n",
            dir.path().display()
        );
        std::fs::write(dir.path().join("registry.yml"), config).unwrap();
        let server = Command::new("docker-registry")
            .args([Path::new("serve"), &dir.path().join("registry.yml")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("needs docker-registry, installed by tests/lab/up");
        let registry = Self { dir, server, address: format!("localhost:{port}") };
        until("the registry listens", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()).await;
        registry
    }

    fn docker(&self, args: &[&str]) -> String {
        said(Command::new("docker").env("DOCKER_CONFIG", self.dir.path()).args(args))
    }

    /// Have an image of the lab in it, and under its name nowhere else.
    fn push(&self, from: &str, image: &str) {
        self.docker(&["login", "--username", USER, "--password", PASSWORD, &self.address]);
        self.docker(&["tag", from, image]);
        self.docker(&["push", "--quiet", image]);
        self.docker(&["rmi", image]);
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_image_is_fetched_with_a_password_that_is_never_on_the_disk() {
    let registry = Registry::start().await;
    let image = format!("{}/private/odoo:16.0", registry.address);
    registry.push("localhost:5000/odoo:16.0", &image);
    let own = InstanceSpec { image: image.clone(), odoo_version: "16.0".into(), ..spec() };
    let lab = Lab::open(tempfile::tempdir().unwrap(), own).await;
    let provision = async |username: Option<&str>, password: &str| {
        let login = RegistryLogin {
            address: registry.address.clone(),
            username: username.map(str::to_owned),
            secret: username.map(|_| SECRET.to_owned()),
            mirror_of: None,
        };
        let input = InstanceProvision { spec: lab.spec.clone(), registries: vec![login] };
        let id = lab.begin_with("instance_provision", &input, [(SECRET.to_owned(), password.to_owned())]).await;
        lab.end(id).await
    };
    failed_with(&provision(None, "").await, "registry_unauthorized");
    let message = failed_with(&provision(Some(USER), "wrong").await, "registry_unauthorized");
    assert!(message.contains(&registry.address), "{message}");
    succeeded(&provision(Some(USER), PASSWORD).await);
    let files = lab.dir.as_ref().unwrap().path().to_str().unwrap();
    let found = Command::new("grep").args(["-rlaF", PASSWORD, files]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "the password is on the disk");
    succeeded(&lab.remove(true).await);
    lab.agent.host.docker.image_forget(&image).await.unwrap();
    lab.finish().await;
}
