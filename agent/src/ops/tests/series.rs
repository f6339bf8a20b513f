//! The series between the two real ones, by a stand-in with their command line, files, ports and health.

use super::*;
use crate::ops::odoo::modules::module_list;
use ocore_shared::odoo::series::Series;
use ocore_shared::protocol::odoo::{InstanceRunning, InstanceUpdate};

#[tokio::test(flavor = "multi_thread")]
async fn series_15_to_18_are_run_as_each_of_them_wants() {
    for major in 15..=18 {
        let version = format!("{major}.0");
        println!("Odoo {version}");
        let own = InstanceSpec {
            image: format!("localhost:5000/odoo:{version}"),
            odoo_version: version.clone(),
            language: "fr_FR".into(),
            ..spec()
        };
        let mut lab = Lab::open(tempfile::tempdir().unwrap(), own).await;
        let provisioned = lab.provision().await;
        succeeded(&provisioned);
        let running: InstanceRunning = serde_json::from_value(provisioned.result.unwrap()).unwrap();
        let address = ([127, 0, 0, 1], running.http_port).into();
        assert_eq!(http::request(address, "/web/health", None).await.unwrap().0, 200);
        assert_eq!(http::request(address, "/web/login", None).await.unwrap().0, 200);

        // Settings are tried beside the one that serves, which does not notice a wrong one.
        let good = lab.spec.clone();
        lab.spec.settings.server_wide_modules = vec!["there_is_no_such_module".into()];
        let job = lab.run("instance_update", &InstanceUpdate { spec: lab.spec.clone() }).await;
        assert_eq!((job.status, job.failure.unwrap().code.as_str()), (JobStatus::Failed, "unknown_module"));
        lab.spec = good;
        lab.spec.settings.limit_time_real = Some(321);
        succeeded(&lab.run("instance_update", &InstanceUpdate { spec: lab.spec.clone() }).await);
        let conf = std::fs::read_to_string(lab.agent.host.records.conf_path(lab.spec.instance_id)).unwrap();
        let port = Series::of_major(major).realtime.port_key();
        assert!(conf.contains(&format!("{port} = 8072\n")) && conf.contains("limit_time_real = 321\n"), "{conf}");

        let all = module_list(&lab.agent.host, lab.spec.instance_id).await.unwrap();
        // Its own modules are names without files.
        let base = all.iter().find(|m| m.name == "base").unwrap();
        assert_eq!((base.state.as_str(), base.on_disk), ("installed", false));
        succeeded(&lab.remove(true).await);
        lab.finish().await;
    }
}
