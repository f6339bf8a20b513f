//! PostgreSQL of a real instance: what is seen of it, set, maintained, copied; and that Odoo goes on serving.

use super::*;
use crate::ops::odoo::databases::look;
use crate::ops::postgres;
use ocore_shared::protocol::databases::{
    DatabaseMaintain, DatabaseMaintained, DatabasePassword, DatabasePasswordSet, DatabaseSettings, DatabaseSettingsSet,
    DatabaseWork, MaintenanceAction, TableQuery, TableSort,
};
use ocore_shared::protocol::jobs::JobFailure;
use ocore_shared::protocol::odoo::InstanceRunning;
use ocore_tests::provisioning::REAL;
use serde::de::DeserializeOwned;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_looked_at_set_maintained_and_copied() {
    for version in REAL {
        looked_at_set_maintained_and_copied(&Lab::of(version).await).await;
    }
}

async fn looked_at_set_maintained_and_copied(lab: &Lab) {
    let provisioned = lab.provision().await;
    succeeded(&provisioned);
    let running: InstanceRunning = serde_json::from_value(provisioned.result.unwrap()).unwrap();
    let address: SocketAddr = ([127, 0, 0, 1], running.http_port).into();
    everything_is_seen(lab).await;
    settings_are_tried_and_applied(lab, address).await;
    tables_are_maintained(lab).await;
    others_come_and_go(lab).await;
    another_password_is_set(lab, address).await;
    succeeded(&lab.remove(true).await);
    assert_eq!(lab.leftovers().await, Vec::<String>::new());
    lab.finish().await;
}

async fn everything_is_seen(lab: &Lab) {
    let (host, id) = (&lab.agent.host, lab.spec.instance_id);
    let info = look::database_info(host, id).await.unwrap();
    assert_eq!((info.name.as_str(), info.owner.as_str(), info.encoding.as_str()), ("shop-1", "shop_role", "UTF8"));
    assert!(info.version.starts_with("13.") && info.size_bytes > 1024 * 1024, "{info:?}");
    assert!(info.extensions.iter().any(|e| e.name == "unaccent") && info.connections.used > 0, "{info:?}");
    let settings = look::setting_list(host, id).await.unwrap().settings;
    let of = |name: &str| settings.iter().find(|s| s.name == name).unwrap();
    assert_eq!((of("shared_buffers").value.as_str(), of("shared_buffers").default.as_str()), ("256MB", "128MB"));
    assert_eq!((of("jit").value.as_str(), of("jit").source.as_str()), ("off", "configuration file"));
    assert_eq!(of("max_connections").value, "100");
    assert!(settings.iter().all(|s| !s.pending_restart), "the command line decides: {settings:?}");
    let metrics = look::database_metrics(host, id).await.unwrap();
    assert!(metrics.counters.commits > 0 && metrics.cache_hit_ratio.unwrap() > 0.0, "{metrics:?}");
    assert_eq!((metrics.connections.most, metrics.slow_statements.is_none()), (100, true));
    let query = |sort, q: Option<&str>, limit, offset| TableQuery { sort, q: q.map(str::to_owned), limit, offset };
    let page = async |query: TableQuery| look::table_list(host, id, &query).await.unwrap().tables;
    let largest = page(query(TableSort::Size, None, 5, 0)).await;
    assert!(largest.len() == 5 && largest.is_sorted_by(|a, b| a.total_bytes >= b.total_bytes), "{largest:?}");
    let second = page(query(TableSort::Name, Some("RES_PART"), 1, 1)).await;
    assert!(second.len() == 1 && second[0].name.contains("res_part"), "{second:?}");
    let databases = look::database_list(host, id).await.unwrap().databases;
    let told: Vec<_> = databases.iter().map(|d| (d.name.as_str(), d.is_own, d.is_reserved)).collect();
    assert_eq!(told, [("postgres", false, true), ("shop-1", true, false)]);
}

async fn settings_are_tried_and_applied(lab: &Lab, address: SocketAddr) {
    let started = lab.started("postgres").await;
    // At once.
    let set = lab.set(&[("work_mem", Some("8MB")), ("log_min_duration_statement", Some("2s"))]).await.unwrap();
    assert!(!set.restarted && set.down_milliseconds == 0, "{set:?}");
    assert_eq!((lab.show("work_mem").await.as_str(), lab.started("postgres").await), ("8MB", started.clone()));
    let again = lab.set(&[("work_mem", Some("8MB"))]).await.unwrap();
    assert!(again.changed.is_empty() && again.settings.len() == 2, "{again:?}");
    // What PostgreSQL does not start with never reaches the one that serves.
    let refused = lab.set(&[("work_mem", Some("9MB")), ("huge_pages", Some("on"))]).await.unwrap_err();
    println!("  {}", refused.message);
    assert_eq!(refused.code, "settings_refused");
    assert!(refused.message.contains("could not map anonymous shared memory"), "{}", refused.message);
    assert_eq!((lab.show("work_mem").await.as_str(), lab.started("postgres").await), ("8MB", started.clone()));
    assert_eq!(lab.agent.host.records.get(lab.spec.instance_id).unwrap().spec.database_settings, again.settings);
    assert_eq!(lab.set(&[("max_connections", Some("20"))]).await.unwrap_err().code, "setting_invalid");
    // After a restart, through which Odoo is left alone; null takes one back.
    let odoo = lab.started("odoo").await;
    let libraries = ("shared_preload_libraries", Some("pg_stat_statements"));
    let settings = [libraries, ("shared_buffers", Some("200MB")), ("work_mem", None)];
    let set = watched("other settings", address, lab.set(&settings)).await.unwrap();
    println!("  PostgreSQL was down for {} ms", set.down_milliseconds);
    assert!(set.restarted && set.down_milliseconds > 0 && set.settings.len() == 3, "{set:?}");
    assert_eq!((lab.show("shared_buffers").await.as_str(), lab.show("work_mem").await.as_str()), ("200MB", "4MB"));
    assert_eq!(lab.show("log_min_duration_statement").await, "2s");
    assert_ne!(lab.started("postgres").await, started);
    assert_eq!((lab.started("odoo").await, http::request(address, "/web/login", None).await.unwrap().0), (odoo, 200));
    let metrics = look::database_metrics(&lab.agent.host, lab.spec.instance_id).await.unwrap();
    assert!(metrics.slow_statements.is_some_and(|all| all.iter().any(|s| s.calls > 0)));
}

async fn tables_are_maintained(lab: &Lab) {
    let maintain = async |action, table: Option<&str>| -> Result<DatabaseMaintained, JobFailure> {
        let table = table.map(str::to_owned);
        lab.job("database_maintain", &DatabaseMaintain { instance_id: lab.spec.instance_id, action, table }).await
    };
    let all = maintain(MaintenanceAction::Vacuum, None).await.unwrap();
    assert!(all.tables > 50 && all.size_after_bytes > 0, "{all:?}");
    let query = TableQuery { sort: TableSort::Name, q: Some("res_partner".into()), limit: 50, offset: 0 };
    let tables = look::table_list(&lab.agent.host, lab.spec.instance_id, &query).await.unwrap().tables;
    let table = tables.iter().find(|table| table.name == "res_partner").unwrap();
    assert!(table.last_vacuum.is_some() && table.last_analyze.is_some(), "{table:?}");
    for action in [MaintenanceAction::VacuumFull, MaintenanceAction::Reindex, MaintenanceAction::Analyze] {
        assert_eq!(maintain(action, Some("public.res_partner")).await.unwrap().tables, 1);
    }
    assert_eq!(maintain(MaintenanceAction::Analyze, Some("x'; --")).await.unwrap_err().code, "table_unknown");
}

async fn others_come_and_go(lab: &Lab) {
    let work = async |kind: &str, name: &str, to: Option<&str>| -> Result<serde_json::Value, JobFailure> {
        let (instance_id, name, to) = (lab.spec.instance_id, name.to_owned(), to.map(str::to_owned));
        lab.job(kind, &DatabaseWork { instance_id, name, to }).await
    };
    let names = async || -> Vec<String> {
        let all = look::database_list(&lab.agent.host, lab.spec.instance_id).await.unwrap().databases;
        all.into_iter().filter(|d| !d.is_reserved).map(|d| d.name).collect()
    };
    let odoo = lab.started("odoo").await;
    work("database_create", "empty one", None).await.unwrap();
    work("database_duplicate", "shop-1", Some("co\"py")).await.unwrap();
    assert_eq!(lab.started("odoo").await, odoo, "it goes on serving");
    let users = "SELECT count(*) FROM res_users;";
    let (here, there) = (lab.sql_in("shop-1", users).await, lab.sql_in("co\"py", users).await);
    assert!(here == there && here != "0", "{here} {there}");
    let owner = lab.sql_in("co\"py", "SELECT tableowner FROM pg_tables WHERE tablename = 'res_users';").await;
    assert_eq!(owner, "shop_role");
    work("database_rename", "co\"py", Some("other")).await.unwrap();
    assert_eq!(names().await, ["empty one", "other", "shop-1"]);
    for (kind, name, to, code) in [
        ("database_create", "other", None, "name_taken"),
        ("database_duplicate", "nowhere", Some("x"), "database_unknown"),
        ("database_rename", "shop-1", Some("x"), "database_in_use"),
        ("database_drop", "shop-1", None, "database_in_use"),
        ("database_drop", "postgres", None, "name_reserved"),
    ] {
        assert_eq!(work(kind, name, to).await.unwrap_err().code, code, "{kind} {name}");
    }
    for name in ["other", "empty one"] {
        work("database_drop", name, None).await.unwrap();
    }
    assert_eq!(names().await, ["shop-1"]);
}

async fn another_password_is_set(lab: &Lab, address: SocketAddr) {
    let input = DatabasePassword { instance_id: lab.spec.instance_id };
    let conf = || std::fs::read_to_string(lab.agent.host.records.conf_path(lab.spec.instance_id)).unwrap();
    let (before, rotated) = (conf(), "another \\ 'one' %");
    let id = JobId::new();
    let request = JobRequest {
        kind: "database_password".into(),
        organization_id: lab.spec.organization_id,
        instance_id: Some(lab.spec.instance_id),
        input: serde_json::to_value(&input).unwrap(),
        secrets: [(secret_names::DATABASE_PASSWORD.to_owned(), rotated.to_owned())].into(),
        timeout_seconds: None,
    };
    lab.agent.engine.accept(id, request).await.unwrap();
    let job = watched("another password", address, lab.end(id)).await;
    succeeded(&job);
    let set: DatabasePasswordSet = serde_json::from_value(job.result.unwrap()).unwrap();
    println!("  Odoo was down for {} ms", set.down_milliseconds);
    assert!(set.down_milliseconds > 0);
    assert!(conf() != before && conf().contains(&format!("db_password = {rotated}\n")), "{}", conf());
    assert_eq!(http::request(address, "/web/login", None).await.unwrap().0, 200);
    assert!(!lab.agent.host.records.conf_before_path(lab.spec.instance_id).exists());
}

impl Lab {
    async fn job<T: DeserializeOwned>(&self, kind: &str, input: &impl Serialize) -> Result<T, JobFailure> {
        let job = self.run(kind, input).await;
        match job.failure {
            Some(failure) => Err(failure),
            None => Ok(serde_json::from_value(job.result.unwrap()).unwrap()),
        }
    }

    async fn set(&self, settings: &[(&str, Option<&str>)]) -> Result<DatabaseSettingsSet, JobFailure> {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect();
        self.job("database_settings", &DatabaseSettings { instance_id: self.spec.instance_id, settings }).await
    }

    async fn show(&self, name: &str) -> String {
        self.sql_in("postgres", &format!("SHOW {name};")).await
    }

    pub(super) async fn sql_in(&self, database: &str, text: &str) -> String {
        let container = format!("ocore-{}-postgres", self.spec.slug);
        postgres::sql(&self.agent.host.docker, &container, database, &format!("{text}\n")).await.unwrap()
    }

    pub(super) async fn started(&self, role: &str) -> Option<String> {
        let name = format!("ocore-{}-{role}", self.spec.slug);
        self.agent.host.docker.inspect(&name).await.unwrap().unwrap().state.unwrap().started_at
    }
}
