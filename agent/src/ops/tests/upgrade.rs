//! Another image and other addons under a real Odoo: what comes up, and what goes back by itself.

use super::git_server::{GitServer, TOKEN, USER, package_index};
use super::*;
use crate::host::docker::build::Build;
use ocore_shared::protocol::addons::{AddonSource, GitCredential, InstanceUpgrade, InstanceUpgraded, UpdateModules};
use ocore_shared::protocol::jobs::JobFailure;
use ocore_shared::protocol::odoo::InstanceRunning;
use ocore_tests::provisioning::REAL;

#[tokio::test(flavor = "multi_thread")]
async fn another_image_and_addons_come_up_or_go_back() {
    for version in REAL {
        come_up_or_go_back(&Lab::of(version).await).await;
    }
}

async fn come_up_or_go_back(lab: &Lab) {
    let provisioned = lab.provision().await;
    succeeded(&provisioned);
    let running: InstanceRunning = serde_json::from_value(provisioned.result.unwrap()).unwrap();
    let address = ([127, 0, 0, 1], running.http_port).into();
    addons_are_brought_from_git(lab, address).await;
    an_image_that_does_not_serve_goes_back(lab, address).await;
    succeeded(&lab.remove(true).await);
    assert_eq!(lab.leftovers().await, Vec::<String>::new());
    let built = format!("ocore-addons-{}", lab.spec.instance_id);
    let images = std::process::Command::new("docker").args(["images", "--quiet", &built]).output().unwrap();
    assert!(images.stdout.is_empty(), "an image of its own is left");
    lab.finish().await;
}

fn manifest(series: &str, data: &str) -> String {
    format!(
        "{{'name': 'Probe', 'version': '{series}.1.0.0', 'depends': ['base'], 'data': [{data}], 'license': 'LGPL-3'}}\n"
    )
}

fn partner(name: &str) -> String {
    format!(
        "<odoo><record id='p' model='res.partner'><field name='name'>{name}</field><field name='ref'>ocore-git</field></record></odoo>"
    )
}

async fn addons_are_brought_from_git(lab: &Lab, address: SocketAddr) {
    let server = GitServer::start().await;
    let branch = lab.spec.odoo_version.as_str();
    let idle = manifest(branch, "");
    let first = server.commit(
        "oca-probe",
        branch,
        &[
            ("README.md", "modules\n"),
            ("ocore_git/__manifest__.py", &manifest(branch, "'data.xml'")),
            ("ocore_git/__init__.py", ""),
            ("ocore_git/data.xml", &partner("First")),
            ("ocore_idle/__manifest__.py", &idle),
            ("ocore_idle/__init__.py", ""),
        ],
    );
    server.commit(
        "needy",
        branch,
        &[
            ("requirements.txt", &format!("{}ocore-probe-lib==1.0\n", package_index().await)),
            ("ocore_needy/__manifest__.py", &idle),
            ("ocore_needy/__init__.py", "import ocore_probe_lib\nassert ocore_probe_lib.ANSWER == 42\n"),
        ],
    );
    let https = AddonSource {
        name: "probe".into(),
        url: server.https("oca-probe"),
        reference: Some(branch.into()),
        enterprise: false,
        credential: Some(GitCredential::Token { username: USER.into() }),
        ca_certificate: Some(server.ca_certificate.clone()),
        known_hosts: None,
        commit: None,
        paths: vec![],
    };
    let ssh = AddonSource {
        name: "needy".into(),
        url: server.ssh("needy"),
        credential: Some(GitCredential::SshKey),
        ca_certificate: None,
        ..https.clone()
    };
    let secrets = [(https.secret_name(), TOKEN.to_owned()), (ssh.secret_name(), server.ssh_key())];
    let put = async |sources: &[&AddonSource]| {
        let sources = sources.iter().map(|&source| source.clone()).collect();
        lab.upgrade("instance_addons", |wish| wish.addons = Some(sources), &secrets).await
    };

    // Refused before anything stops.
    let serving = lab.container_id().await;
    let with = |change: &dyn Fn(&mut AddonSource)| {
        let mut source = https.clone();
        change(&mut source);
        source
    };
    for (source, code) in [
        (with(&|s| s.reference = Some("no-such-branch".into())), "git_ref_not_found"),
        (with(&|s| s.reference = Some("a1".repeat(20))), "git_ref_not_found"),
        (with(&|s| s.ca_certificate = None), "git_tls_failed"),
        (with(&|s| s.credential = None), "git_auth_failed"),
        (with(&|s| s.url = server.https("nothing")), "git_not_found"),
        (with(&|s| s.url = "https://127.0.0.1:1/x.git".into()), "git_unreachable"),
        (
            AddonSource { known_hosts: Some("127.0.0.1 ssh-ed25519 AAAA\n".into()), ..ssh.clone() },
            "git_host_key_refused",
        ),
        (AddonSource { name: "probe".into(), ..ssh.clone() }, "git_auth_failed"),
    ] {
        let error = put(&[&source]).await.unwrap_err();
        println!("  {}: {}", error.code, error.message);
        assert_eq!(error.code, code, "{}", error.message);
    }
    assert_eq!(lab.container_id().await, serving, "Odoo was not touched");

    let done = put(&[&https]).await.unwrap();
    assert_eq!(done.addons[0].commit.as_deref(), Some(first.as_str()));
    assert_eq!((done.addons[0].paths.as_slice(), done.updated.len()), (&[String::new()][..], 0));
    println!("  addons: nobody was served for {} ms", done.down_milliseconds);
    lab.install("ocore_git").await;
    assert_eq!(lab.partner().await, "First");
    let serving = lab.container_id().await;
    assert_eq!(put(&[&https]).await.unwrap().down_milliseconds, 0, "the same again");
    assert_eq!(lab.container_id().await, serving);

    // One module has changed, the other has not.
    let second = server.commit("oca-probe", branch, &[("ocore_git/data.xml", &partner("Second"))]);
    let done = put(&[&https]).await.unwrap();
    assert_eq!(done.updated, ["ocore_git"]);
    assert_eq!((done.addons[0].commit.as_deref(), lab.partner().await.as_str()), (Some(second.as_str()), "Second"));
    println!("  one module updated: nobody was served for {} ms", done.down_milliseconds);

    // What Python cannot read is found beside the serving one; what only Odoo finds goes back.
    let serving = lab.container_id().await;
    server.commit("oca-probe", branch, &[("ocore_git/models.py", "def x(:\n")]);
    assert_eq!(put(&[&https]).await.unwrap_err().code, "module_broken");
    assert_eq!(lab.container_id().await, serving, "Odoo was not touched");
    server.commit(
        "oca-probe",
        branch,
        &[("ocore_git/models.py", ""), ("ocore_git/data.xml", "<odoo><record id='x' model='no.such'/></odoo>")],
    );
    let error = put(&[&https]).await.unwrap_err();
    assert_eq!(error.code, "modules_failed");
    assert!(error.message.ends_with("The instance runs as before."), "{}", error.message);
    assert_eq!(http::request(address, "/web/login", None).await.unwrap().0, 200);
    assert_eq!(lab.partner().await, "Second");
    server.commit("oca-probe", branch, &[("ocore_idle/__manifest__.py", &manifest("15.0", ""))]);
    assert_eq!(put(&[&https]).await.unwrap_err().code, "series_differs");
    assert_eq!(put(&[&ssh]).await.unwrap_err().code, "module_missing");

    // With what a module needs of Python, over SSH.
    let exact = AddonSource { reference: Some(second), ..https };
    let done = put(&[&exact, &ssh]).await.unwrap();
    let built = done.built_image.unwrap();
    println!("  built {built}");
    lab.install("ocore_needy").await;
    let access = lab.agent.host.records.repositories_dir(lab.spec.instance_id);
    let left: Vec<_> = std::fs::read_dir(access).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".home")), "{left:?}");
}

async fn an_image_that_does_not_serve_goes_back(lab: &Lab, address: SocketAddr) {
    // It starts well once, and ends when it is to serve.
    let broken = "#!/bin/sh\nfor arg; do case $arg in --stop-after-init|--version) exec /usr/bin/odoo \"$@\";; esac; done\necho broken >&2\nexit 3\n";
    let wrapper = |script: &str, more: &str| {
        let dockerfile = format!(
            "FROM {}\nUSER root\nCOPY odoo /usr/local/bin/odoo\nRUN [\"chmod\", \"755\", \"/usr/local/bin/odoo\"]\n{more}USER odoo\n",
            lab.spec.image
        );
        [("Dockerfile".to_owned(), dockerfile), ("odoo".to_owned(), script.to_owned())]
    };
    let name = |what: &str| format!("ocore-test-{what}:{}", lab.spec.slug);
    let build = async |what: &str, files: &[(String, String)]| {
        let build = Build { name: &name(what), files, labels: HashMap::new() };
        lab.agent.host.docker.image_build(build, |_| {}).await.unwrap();
    };
    build("broken", &wrapper(broken, "")).await;
    lab.sql("UPDATE res_partner SET comment = 'kept' WHERE ref = 'ocore-git' RETURNING id").await;
    let before = lab.agent.host.records.get(lab.spec.instance_id).unwrap();
    let upgrade = lab.upgrade("instance_upgrade", |w| w.image = Some(name("broken")), &[]);
    let error = watched("an image whose Odoo does not start", address, upgrade).await.unwrap_err();
    println!("  {}", error.message);
    assert_eq!(error.code, "odoo_exited", "{}", error.message);
    assert!(error.message.ends_with("The instance runs as before."), "{}", error.message);
    assert_eq!(http::request(address, "/web/login", None).await.unwrap().0, 200);
    assert!(lab.sql("SELECT comment FROM res_partner WHERE ref = 'ocore-git'").await.contains("kept"));
    assert_eq!(lab.agent.host.records.get(lab.spec.instance_id).unwrap(), before);
    let error =
        lab.upgrade("instance_upgrade", |w| w.image = Some("localhost:5000/odoo:16.0".into()), &[]).await.unwrap_err();
    assert_eq!(error.code, "series_differs", "{}", error.message);

    // Its user has another number: the files go along.
    let other = wrapper("#!/bin/sh\nexec /usr/bin/odoo \"$@\"\n", "RUN [\"usermod\", \"-u\", \"4242\", \"odoo\"]\n");
    build("other", &other).await;
    let upgrade = lab.upgrade("instance_upgrade", |w| w.image = Some(name("other")), &[]);
    let done = watched("another image", address, upgrade).await.unwrap();
    println!("  told: {} ms", done.down_milliseconds);
    assert!(done.built_image.is_some_and(|image| !image.contains("test")));
    assert_eq!(http::request(address, "/web/login", None).await.unwrap().0, 200);
    let spec = crate::host::docker::ExecSpec::new(["find", "/var/lib/odoo", "!", "-user", "4242"]);
    let output = lab.agent.host.docker.exec(&format!("ocore-{}-odoo", lab.spec.slug), spec, b"").await.unwrap();
    assert_eq!((output.code, output.stdout.as_str()), (0, ""), "{}", output.stderr);
    lab.install_nothing_is_left(&[name("broken"), name("other")]).await;
}

impl Lab {
    async fn upgrade(
        &self, kind: &str, wish: impl FnOnce(&mut InstanceUpgrade), secrets: &[(String, String)],
    ) -> Result<InstanceUpgraded, JobFailure> {
        let mut input = InstanceUpgrade {
            instance_id: self.spec.instance_id,
            image: None,
            addons: None,
            update: UpdateModules::Changed,
            safety_copy: true,
            registries: vec![],
        };
        wish(&mut input);
        let id = self.begin_with(kind, &input, secrets.iter().cloned()).await;
        let job = self.end(id).await;
        match job.failure {
            None => Ok(serde_json::from_value(job.result.unwrap()).unwrap()),
            Some(failure) => Err(failure),
        }
    }

    async fn container_id(&self) -> String {
        let name = format!("ocore-{}-odoo", self.spec.slug);
        let found = self.agent.host.docker.inspect(&name).await.unwrap().unwrap();
        format!("{:?} {:?}", found.id, found.state.unwrap().started_at)
    }

    async fn partner(&self) -> String {
        self.sql("SELECT name FROM res_partner WHERE ref = 'ocore-git'").await
    }

    async fn install(&self, module: &str) {
        self.change(|change| change.install = vec![module.into()]).await.unwrap();
    }

    async fn install_nothing_is_left(&self, images: &[String]) {
        let copies = self.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'before_%'").await;
        assert_eq!(copies, "0");
        for image in images {
            self.agent.host.docker.image_forget(image).await.unwrap();
        }
    }
}
