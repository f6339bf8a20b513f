//! Modules of a real Odoo: what there is, what a change comes to, and how one that does not end well is taken back.

use super::*;
use crate::ops::odoo::modules::module_list;
use crate::ops::postgres;
use ocore_shared::protocol::modules::{ModuleInfo, ModulesChange, ModulesChanged};
use ocore_shared::protocol::odoo::{AdminPassword, InstanceRunning};

#[tokio::test(flavor = "multi_thread")]
async fn modules_are_installed_updated_and_removed_or_nothing_is_changed() {
    let lab = Lab::new().await;
    let provisioned = lab.provision().await;
    succeeded(&provisioned);
    let running: InstanceRunning = serde_json::from_value(provisioned.result.unwrap()).unwrap();
    let address = ([127, 0, 0, 1], running.http_port).into();
    lab.module("ocore_probe", &["base"], &[("data.xml", PARTNER)]);
    lab.module("ocore_broken", &["base"], &[("models.py", "def x(:\n"), ("__init__.py", "from . import models\n")]);
    lab.module("ocore_bad_data", &["ocore_probe"], &[("data.xml", "<odoo><record id='x' model='no.such'/></odoo>")]);
    let probe = lab.find("ocore_probe").await.unwrap();
    assert_eq!((probe.state.as_str(), probe.on_disk, probe.needs_update), ("unlisted", true, false));
    let base = lab.find("base").await.unwrap();
    assert_eq!((base.state.as_str(), base.needs_update), ("installed", false), "{base:?}");
    assert_eq!(base.installed_version, base.available_version);

    let done = lab.change(|c| c.install = vec!["ocore_probe".into()]).await.unwrap();
    println!("  {done:?}");
    assert_eq!(done.installed, ["ocore_probe"]);
    assert_eq!(lab.find("ocore_probe").await.unwrap().state, "installed");
    let nothing = lab.change(|c| c.install = vec!["ocore_probe".into()]).await.unwrap();
    assert_eq!((nothing.installed.len(), nothing.down_milliseconds), (0, 0));

    // The same version with other files, as a deployment brings it.
    lab.module("ocore_probe", &["base"], &[("data.xml", &PARTNER.replace("First", "Second"))]);
    assert!(lab.find("ocore_probe").await.unwrap().needs_update);
    let done = lab.change(|c| c.update_changed = true).await.unwrap();
    assert_eq!(done.updated, ["ocore_probe"]);
    assert!(!lab.find("ocore_probe").await.unwrap().needs_update);
    assert_eq!(lab.sql("SELECT name FROM res_partner WHERE ref = 'ocore-probe'").await, "Second");

    // Refused before anything stops.
    let before = lab.started_at().await;
    let error = lab.change(|c| c.install = vec!["ocore_broken".into()]).await.unwrap_err();
    assert_eq!(error.code, "module_broken");
    assert!(error.message.contains("models.py, line 1"), "{}", error.message);
    let error = lab.change(|c| c.uninstall = vec!["base".into()]).await.unwrap_err();
    assert_eq!(error.code, "module_needed");
    assert_eq!(lab.started_at().await, before, "Odoo was not touched");

    // Found by Odoo alone: everything is as before.
    lab.sql("UPDATE res_partner SET comment = 'kept' WHERE ref = 'ocore-probe' RETURNING id").await;
    let error = lab.change(|c| c.install = vec!["ocore_bad_data".into()]).await.unwrap_err();
    println!("  {}", error.message);
    assert_eq!(error.code, "modules_failed");
    assert!(error.message.contains("no.such"), "{}", error.message);
    assert_eq!(http::request(address, "/web/login", None).await.unwrap().0, 200);
    assert_ne!(lab.find("ocore_bad_data").await.unwrap().state, "installed");
    assert!(lab.sql("SELECT comment FROM res_partner WHERE ref = 'ocore-probe'").await.contains("kept"));
    let copies = lab.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'before_%'").await;
    assert_eq!(copies, "0");

    let done = lab.change(|c| c.uninstall = vec!["ocore_probe".into()]).await.unwrap();
    assert_eq!(done.uninstalled, ["ocore_probe"]);
    assert_eq!(lab.find("ocore_probe").await.unwrap().state, "uninstalled");
    assert_eq!(lab.sql("SELECT count(*) FROM res_partner WHERE ref = 'ocore-probe'").await, "0");
    another_password_signs_in(&lab, address).await;
    succeeded(&lab.remove(true).await);
    lab.finish().await;
}

const PARTNER: &str = "<odoo><record id='partner' model='res.partner'>\
    <field name='name'>First</field><field name='ref'>ocore-probe</field></record></odoo>";

async fn another_password_signs_in(lab: &Lab, address: std::net::SocketAddr) {
    let input = AdminPassword { instance_id: lab.spec.instance_id, login: None };
    let id = JobId::new();
    let request = JobRequest {
        kind: "instance_admin_password".into(),
        organization_id: lab.spec.organization_id,
        instance_id: Some(lab.spec.instance_id),
        input: serde_json::to_value(&input).unwrap(),
        secrets: [(secret_names::ADMIN_PASSWORD.to_owned(), "another \\ 'one'".to_owned())].into(),
        timeout_seconds: None,
    };
    lab.agent.engine.accept(id, request).await.unwrap();
    succeeded(&lab.end(id).await);
    let signs_in = async |password: &str| {
        let body = serde_json::json!({"jsonrpc": "2.0", "method": "call", "params": {
            "service": "common", "method": "login", "args": [lab.spec.database_name, lab.spec.admin_login, password],
        }});
        let (_, answer) = http::request(address, "/jsonrpc", Some(&body.to_string())).await.unwrap();
        serde_json::from_slice::<serde_json::Value>(&answer).unwrap()["result"].as_i64() == Some(2)
    };
    assert!(signs_in("another \\ 'one'").await);
    assert!(!signs_in(&password("admin_password")).await);
}

impl Lab {
    /// Have a module with these files among the instance's own.
    fn module(&self, name: &str, depends: &[&str], files: &[(&str, &str)]) {
        let dir = self.agent.host.records.addons_dir(self.spec.instance_id).join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let data: Vec<&str> = files.iter().map(|(file, _)| *file).filter(|file| file.ends_with(".xml")).collect();
        let manifest = format!("{{'name': '{name}', 'depends': {depends:?}, 'data': {data:?}, 'license': 'LGPL-3'}}\n");
        std::fs::write(dir.join("__manifest__.py"), manifest).unwrap();
        std::fs::write(dir.join("__init__.py"), "").unwrap();
        for (file, text) in files {
            std::fs::write(dir.join(file), text).unwrap();
        }
    }

    async fn find(&self, name: &str) -> Option<ModuleInfo> {
        let all = module_list(&self.agent.host, self.spec.instance_id).await.unwrap();
        all.into_iter().find(|module| module.name == name)
    }

    pub async fn change(
        &self, wish: impl FnOnce(&mut ModulesChange),
    ) -> Result<ModulesChanged, ocore_shared::protocol::jobs::JobFailure> {
        let mut change = ModulesChange {
            instance_id: self.spec.instance_id,
            install: vec![],
            update: vec![],
            uninstall: vec![],
            update_changed: false,
            with_dependents: false,
            safety_copy: true,
        };
        wish(&mut change);
        let job = self.run("instance_modules", &change).await;
        match job.failure {
            Some(failure) => Err(failure),
            None => Ok(serde_json::from_value(job.result.unwrap()).unwrap()),
        }
    }

    pub async fn sql(&self, text: &str) -> String {
        let container = format!("ocore-{}-postgres", self.spec.slug);
        postgres::sql(&self.agent.host.docker, &container, &self.spec.database_name, &format!("{text};")).await.unwrap()
    }

    async fn started_at(&self) -> Option<String> {
        let name = format!("ocore-{}-odoo", self.spec.slug);
        self.agent.host.docker.inspect(&name).await.unwrap().unwrap().state.unwrap().started_at
    }
}
