//! What modules there are: on the addons path of a container, and in the database.

use crate::engine::OpError;
use crate::host::Host;
use crate::host::docker::ExecSpec;
use crate::ops::odoo::containers::CONF;
use crate::ops::odoo::record::Record;
use crate::ops::postgres;
use ocore_shared::odoo::series::Series;
use ocore_shared::protocol::modules::ModuleInfo;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SCRIPT: &str = include_str!("scan.py");
/// The parameter in which checksums of what is installed are kept, as click-odoo-update does.
const CHECKSUMS: &str = "module_auto_update.installed_checksums";

/// A module on disk.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct OnDisk {
    pub name: String,
    pub path: String,
    #[serde(default)]
    pub version: Option<String>,
    #[serde(default)]
    pub depends: Vec<String>,
    #[serde(default)]
    pub installable: bool,
    #[serde(default)]
    pub python: Vec<String>,
    #[serde(default)]
    pub checksum: Option<String>,
    #[serde(default)]
    pub problem: Option<String>,
}

/// A module in the database.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct InDatabase {
    pub name: String,
    pub state: String,
    #[serde(default)]
    pub version: Option<String>,
    #[serde(default)]
    title: Value,
    #[serde(default)]
    author: Option<String>,
    #[serde(default)]
    application: Option<bool>,
}

impl InDatabase {
    pub fn is_installed(&self) -> bool {
        matches!(self.state.as_str(), "installed" | "to upgrade" | "to remove")
    }
}

/// What the database knows.
pub struct Known {
    pub modules: Vec<InDatabase>,
    /// Of what is installed, as it was when it was last updated; empty when nobody has written them down.
    pub checksums: BTreeMap<String, String>,
    languages: Vec<String>,
}

/// Ask the database. PostgreSQL has to run, Odoo need not.
pub async fn known(host: &Host, record: &Record) -> Result<Known, OpError> {
    let script = format!(
        "SELECT json_build_object(
           'modules', (SELECT coalesce(json_agg(json_build_object('name', m.name, 'state', m.state,
               'version', m.latest_version, 'title', row -> 'shortdesc', 'author', row ->> 'author',
               'application', (row ->> 'application')::boolean) ORDER BY m.name), '[]')
             FROM ir_module_module m, to_jsonb(m) row),
           'checksums', (SELECT value FROM ir_config_parameter WHERE key = '{CHECKSUMS}'),
           'languages', (SELECT coalesce(json_agg(code), '[]') FROM res_lang WHERE active));\n"
    );
    let text = postgres::sql(&host.docker, &record.postgres_container(), &record.spec.database_name, &script).await?;
    #[derive(Deserialize)]
    struct Row {
        modules: Vec<InDatabase>,
        checksums: Option<String>,
        languages: Vec<String>,
    }
    let row: Row = serde_json::from_str(&text).map_err(|e| unreadable("database", &e))?;
    let checksums = row.checksums.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    Ok(Known { modules: row.modules, checksums, languages: row.languages })
}

/// Look at the addons path of a running container of Odoo's image.
pub async fn on_disk(host: &Host, container: &str, known: &Known, checksums: bool) -> Result<Vec<OnDisk>, OpError> {
    let options = json!({"checksums": checksums, "languages": known.languages}).to_string();
    let spec = ExecSpec::new(["python3", "-", CONF, &options]);
    let output = host.docker.exec(container, spec, SCRIPT.as_bytes()).await?;
    if output.code != 0 {
        let last = output.stderr.lines().last().unwrap_or("no reason given").to_owned();
        return Err(OpError::new("modules_unreadable", format!("The modules on disk cannot be listed: {last}.")));
    }
    serde_json::from_str(&output.stdout).map_err(|e| unreadable("disk", &e))
}

fn unreadable(where_: &str, error: &serde_json::Error) -> OpError {
    OpError::new("modules_unreadable", format!("The list of modules of the {where_} is not understood: {error}."))
}

/// Both lists as one, by name.
pub fn merged(series: Option<Series>, known: &Known, disk: &[OnDisk]) -> Vec<ModuleInfo> {
    let mut all: BTreeMap<&str, (Option<&InDatabase>, Option<&OnDisk>)> = BTreeMap::new();
    for module in &known.modules {
        all.entry(&module.name).or_default().0 = Some(module);
    }
    for module in disk {
        all.entry(&module.name).or_default().1 = Some(module);
    }
    let one = |(name, (database, disk)): (&str, (Option<&InDatabase>, Option<&OnDisk>))| {
        let available = disk.and_then(|d| d.version.as_deref()).map(|version| full_version(series, version));
        let installed = database.is_some_and(InDatabase::is_installed);
        let missing = || "Its files are not on the addons path.".to_owned();
        ModuleInfo {
            name: name.to_owned(),
            title: database.and_then(|d| title(&d.title)),
            author: database.and_then(|d| d.author.clone()),
            state: database.map_or("unlisted", |d| d.state.as_str()).to_owned(),
            installed_version: database.filter(|_| installed).and_then(|d| d.version.clone()),
            available_version: available.clone(),
            on_disk: disk.is_some(),
            application: database.and_then(|d| d.application).unwrap_or(false),
            needs_update: match (database, disk) {
                (Some(database), Some(disk)) if installed => is_changed(series, known, database, disk),
                _ => false,
            },
            depends: disk.map(|d| d.depends.clone()).unwrap_or_default(),
            problem: match disk {
                Some(disk) => disk.problem.clone(),
                None => installed.then(missing),
            },
        }
    };
    all.into_iter().map(one).collect()
}

/// Whether an installed module's files are other than what the database was updated to: by checksum where both are
/// known, else by version.
pub fn is_changed(series: Option<Series>, known: &Known, database: &InDatabase, disk: &OnDisk) -> bool {
    let version = disk.version.as_deref().map(|version| full_version(series, version));
    if version.is_some() && version != database.version {
        return true;
    }
    match (known.checksums.get(&database.name), &disk.checksum) {
        (Some(before), Some(now)) => before != now,
        _ => false,
    }
}

/// `1.2` is `17.0.1.2`, as Odoo itself writes it down.
fn full_version(series: Option<Series>, version: &str) -> String {
    let Some(series) = series else { return version.to_owned() };
    let prefix = format!("{}.0", series.major);
    if version != prefix && version.starts_with(&format!("{prefix}.")) {
        return version.to_owned();
    }
    format!("{prefix}.{version}")
}

/// A text, or since 16 one by language.
fn title(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(by_language) => by_language.get("en_US")?.as_str().map(str::to_owned),
        _ => None,
    }
}

/// The SQL that writes checksums down.
pub fn checksums_script(checksums: &BTreeMap<String, String>) -> Result<String, OpError> {
    let text = serde_json::to_string(checksums).map_err(|e| unreadable("disk", &e))?;
    Ok(format!(
        "INSERT INTO ir_config_parameter (key, value, create_uid, write_uid, create_date, write_date)
         VALUES ('{CHECKSUMS}', {}, 1, 1, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, write_date = excluded.write_date;\n",
        crate::ops::sql::literal(&text)?
    ))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn known(modules: Value, checksums: &[(&str, &str)]) -> Known {
        let checksums = checksums.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Known { modules: serde_json::from_value(modules).unwrap(), checksums, languages: vec![] }
    }

    pub fn disk(name: &str, version: &str, checksum: Option<&str>) -> OnDisk {
        OnDisk {
            name: name.into(),
            version: Some(version.into()),
            installable: true,
            checksum: checksum.map(str::to_owned),
            ..OnDisk::default()
        }
    }

    #[test]
    fn versions_carry_their_series() {
        let series = Series::of("17.0");
        assert_eq!(full_version(series, "1.2"), "17.0.1.2");
        assert_eq!(full_version(series, "17.0.1.2"), "17.0.1.2");
        assert_eq!(full_version(series, "17.0"), "17.0.17.0");
        assert_eq!(full_version(None, "1"), "1");
    }

    #[test]
    fn what_is_installed_and_other_on_disk_needs_an_update() {
        let installed = |name: &str, version: &str| json!({"name": name, "state": "installed", "version": version});
        let known = known(
            json!([
                installed("base", "17.0.1.3"), installed("sale", "17.0.1.0"), installed("stock", "17.0.1.0"),
                installed("gone", "17.0.1.0"), {"name": "crm", "state": "uninstalled", "title": {"en_US": "CRM"}}
            ]),
            &[("stock", "a"), ("base", "c")],
        );
        let files = [
            disk("base", "1.3", Some("c")),
            disk("sale", "1.1", None),
            disk("stock", "1.0", Some("b")),
            disk("crm", "2.0", None),
            disk("new", "17.0.0.1", None),
        ];
        let all = merged(Series::of("17.0"), &known, &files);
        let of = |name: &str| all.iter().find(|m| m.name == name).unwrap();
        assert_eq!(
            all.iter().filter(|m| m.needs_update).map(|m| m.name.as_str()).collect::<Vec<_>>(),
            ["sale", "stock"]
        );
        assert_eq!(of("gone").problem.as_deref(), Some("Its files are not on the addons path."));
        assert_eq!((of("new").state.as_str(), of("new").available_version.as_deref()), ("unlisted", Some("17.0.0.1")));
        assert_eq!((of("crm").title.as_deref(), of("crm").installed_version.as_deref()), (Some("CRM"), None));
    }
}
