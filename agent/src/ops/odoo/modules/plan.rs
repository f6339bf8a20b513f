//! What a wish for other modules comes to, and what is wrong with it, before anything is stopped.

use super::scan::{InDatabase, Known, OnDisk, is_changed};
use crate::engine::OpError;
use ocore_shared::odoo::series::Series;
use ocore_shared::protocol::modules::ModulesChange;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Odoo does not live without them.
const CORE: [&str; 2] = ["base", "web"];

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub install: Vec<String>,
    pub update: Vec<String>,
    pub uninstall: Vec<String>,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.install.is_empty() && self.update.is_empty() && self.uninstall.is_empty()
    }
}

/// Names of modules, as a sentence lists them.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

pub fn plan(series: Option<Series>, wish: &ModulesChange, known: &Known, disk: &[OnDisk]) -> Result<Plan, OpError> {
    let files: BTreeMap<&str, &OnDisk> = disk.iter().map(|m| (m.name.as_str(), m)).collect();
    let database: BTreeMap<&str, &InDatabase> = known.modules.iter().map(|m| (m.name.as_str(), m)).collect();
    let installed = |name: &str| database.get(name).is_some_and(|m| m.is_installed());
    let mut update: BTreeSet<String> = wish.update.iter().cloned().collect();
    if wish.update_changed {
        let changed = known.modules.iter().filter(|m| m.is_installed());
        let changed = changed.filter(|m| files.get(m.name.as_str()).is_some_and(|d| is_changed(series, known, m, d)));
        update.extend(changed.map(|m| m.name.clone()));
    }
    let unknown = wish.install.iter().chain(&update).filter(|name| !files.contains_key(name.as_str()));
    let unknown = listed(unknown.map(String::as_str));
    if !unknown.is_empty() {
        return Err(OpError::new(
            "unknown_module",
            format!(
                "No module of that name is on the addons path: {unknown}. Check the names, or add the source that has them."
            ),
        ));
    }
    let absent = update.iter().chain(&wish.uninstall).filter(|name| !installed(name));
    let absent = listed(absent.map(String::as_str));
    if !absent.is_empty() {
        return Err(OpError::new("module_not_installed", format!("Not installed: {absent}.")));
    }
    for name in wish.install.iter().chain(&update) {
        usable(name, &files, &mut BTreeSet::new(), &mut vec![])?;
    }
    let uninstall = uninstalled(wish, known, &files)?;
    let install = wish.install.iter().filter(|name| !installed(name)).cloned().collect::<BTreeSet<_>>();
    update.retain(|name| !uninstall.contains(name));
    Ok(Plan {
        install: install.into_iter().collect(),
        update: update.into_iter().collect(),
        uninstall: uninstall.into_iter().collect(),
    })
}

/// Whether a module and all that it needs can be loaded. `way` is how one got there.
pub fn usable<'a>(
    name: &'a str, files: &BTreeMap<&'a str, &'a OnDisk>, seen: &mut BTreeSet<&'a str>, way: &mut Vec<&'a str>,
) -> Result<(), OpError> {
    if !seen.insert(name) {
        return Ok(());
    }
    way.push(name);
    let Some(module) = files.get(name) else {
        return Err(OpError::new(
            "missing_dependency",
            format!(
                "{} is not on the addons path; it is needed by {}.",
                name,
                way.iter().rev().skip(1).copied().collect::<Vec<_>>().join(", which is needed by ")
            ),
        ));
    };
    if let Some(problem) = &module.problem {
        return Err(OpError::new("module_broken", format!("The module {name} cannot be loaded: {problem}.")));
    }
    if !module.installable {
        return Err(OpError::new(
            "module_not_installable",
            format!("The module {name} says of itself that it cannot be installed."),
        ));
    }
    for needed in &module.depends {
        usable(needed, files, seen, way)?;
    }
    way.pop();
    Ok(())
}

fn uninstalled(
    wish: &ModulesChange, known: &Known, files: &BTreeMap<&str, &OnDisk>,
) -> Result<BTreeSet<String>, OpError> {
    let mut going: BTreeSet<String> = wish.uninstall.iter().cloned().collect();
    if let Some(core) = CORE.iter().find(|core| going.contains(**core)) {
        return Err(OpError::new("module_needed", format!("Odoo cannot do without {core}.")));
    }
    let installed: Vec<&str> = known.modules.iter().filter(|m| m.is_installed()).map(|m| m.name.as_str()).collect();
    loop {
        let needs_one = |name: &&&str| {
            !going.contains(**name) && files.get(**name).is_some_and(|m| m.depends.iter().any(|d| going.contains(d)))
        };
        let dependents: Vec<String> = installed.iter().filter(needs_one).map(|name| (*name).to_owned()).collect();
        if dependents.is_empty() {
            return Ok(going);
        }
        if !wish.with_dependents {
            return Err(OpError::new(
                "module_needed",
                format!(
                    "{} cannot go alone: {} need it. Uninstall them with it (with_dependents), which removes their data too.",
                    listed(wish.uninstall.iter().map(String::as_str)),
                    listed(dependents.iter().map(String::as_str))
                ),
            ));
        }
        going.extend(dependents);
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::tests::{disk, known};
    use super::*;
    use ocore_shared::ids::InstanceId;
    use serde_json::json;

    fn wish() -> ModulesChange {
        ModulesChange {
            instance_id: InstanceId::new(),
            install: vec![],
            update: vec![],
            uninstall: vec![],
            update_changed: false,
            with_dependents: false,
            safety_copy: true,
        }
    }

    fn planned(change: impl FnOnce(&mut ModulesChange)) -> Result<Plan, OpError> {
        let installed = |name: &str| json!({"name": name, "state": "installed", "version": "14.0.1.0"});
        let known =
            known(json!([installed("base"), installed("sale"), installed("sale_stock"), installed("crm")]), &[]);
        let needs = |name: &str, depends: &[&str]| OnDisk {
            depends: depends.iter().map(|d| (*d).to_owned()).collect(),
            ..disk(name, "1.0", None)
        };
        let files = [
            needs("base", &[]),
            needs("sale", &["base"]),
            needs("sale_stock", &["sale"]),
            OnDisk { version: Some("1.1".into()), ..needs("crm", &["base"]) },
            needs("lost", &["nowhere"]),
            needs("wants_lost", &["lost"]),
            OnDisk { problem: Some("models.py, line 3: invalid syntax".into()), ..needs("broken", &["base"]) },
            OnDisk { installable: false, ..needs("old", &["base"]) },
            needs("fine", &["sale"]),
        ];
        let mut wish = wish();
        change(&mut wish);
        plan(Series::of("14.0"), &wish, &known, &files)
    }

    #[test]
    fn what_cannot_be_done_is_named_before_anything_stops() {
        let refused = |install: &str| planned(|w| w.install = vec![install.into()]).unwrap_err();
        assert_eq!(refused("nonsense").code, "unknown_module");
        assert_eq!(refused("lost").code, "missing_dependency");
        let error = refused("wants_lost");
        assert!(
            error
                .message
                .contains("nowhere is not on the addons path; it is needed by lost, which is needed by wants_lost"),
            "{error}"
        );
        assert!(refused("broken").message.contains("models.py, line 3"));
        assert_eq!(refused("old").code, "module_not_installable");
        assert_eq!(planned(|w| w.update = vec!["fine".into()]).unwrap_err().code, "module_not_installed");
        assert_eq!(planned(|w| w.uninstall = vec!["base".into()]).unwrap_err().code, "module_needed");
        let error = planned(|w| w.uninstall = vec!["sale".into()]).unwrap_err();
        assert!(error.message.contains("sale_stock need it"), "{error}");
    }

    #[test]
    fn a_plan_has_what_is_left_to_do() {
        let plan = planned(|w| {
            (w.install, w.update_changed) = (vec!["fine".into(), "sale".into()], true);
        })
        .unwrap();
        assert_eq!((plan.install, plan.update), (vec!["fine".to_owned()], vec!["crm".to_owned()]));
        let plan = planned(|w| (w.uninstall, w.with_dependents) = (vec!["sale".into()], true)).unwrap();
        assert_eq!(plan.uninstall, ["sale", "sale_stock"]);
        assert!(planned(|w| w.install = vec!["sale".into()]).unwrap().is_empty());
    }
}
