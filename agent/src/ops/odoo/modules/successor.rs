//! What other files under the same database come to: another build of Odoo, other commits of the addons.

use super::plan::{listed, usable};
use super::scan::{Known, OnDisk, is_changed};
use crate::engine::OpError;
use ocore_shared::odoo::series::Series;
use ocore_shared::protocol::addons::{MOUNT, UpdateModules};
use std::collections::{BTreeMap, BTreeSet};

/// The modules to update when `after` takes the place of `before`. What Odoo could not live with is refused here.
pub fn updates(
    series: Option<Series>, known: &Known, before: &[OnDisk], after: &[OnDisk], wish: UpdateModules,
) -> Result<Vec<String>, OpError> {
    let had: BTreeSet<&str> = before.iter().map(|m| m.name.as_str()).collect();
    let files: BTreeMap<&str, &OnDisk> = after.iter().map(|m| (m.name.as_str(), m)).collect();
    let installed: Vec<_> = known.modules.iter().filter(|m| m.is_installed()).collect();
    belongs(series, after)?;
    // What was missing all along is not the fault of this change.
    let gone = installed.iter().map(|m| m.name.as_str()).filter(|name| !files.contains_key(name) && had.contains(name));
    let gone = listed(gone);
    if !gone.is_empty() {
        return Err(OpError::new(
            "module_missing",
            format!(
                "These modules are installed and would have no files any more: {gone}. Uninstall them first, or keep the source that they are in."
            ),
        ));
    }
    for module in installed.iter().filter(|m| files.contains_key(m.name.as_str())) {
        usable(&module.name, &files, &mut BTreeSet::new(), &mut vec![])?;
    }
    Ok(match wish {
        UpdateModules::None => Vec::new(),
        UpdateModules::All => vec!["base".into()],
        UpdateModules::Changed => {
            let changed = |name: &str, disk: &OnDisk| {
                installed.iter().find(|m| m.name == name).is_some_and(|m| is_changed(series, known, m, disk))
            };
            files.iter().filter(|(name, disk)| changed(name, disk)).map(|(name, _)| (*name).to_owned()).collect()
        }
    })
}

/// The commonest mistake with sources is another series' branch: Odoo would load what it is not made for.
fn belongs(series: Option<Series>, disk: &[OnDisk]) -> Result<(), OpError> {
    let Some(series) = series else { return Ok(()) };
    let own = format!("{}.0", series.major);
    let other = |module: &&OnDisk| {
        module.installable
            && module.path.starts_with(MOUNT)
            && module.version.as_deref().and_then(series_of).is_some_and(|theirs| theirs != own)
    };
    let Some(first) = disk.iter().find(other) else { return Ok(()) };
    let count = disk.iter().filter(other).count();
    let theirs = first.version.as_deref().and_then(series_of).unwrap_or_default();
    Err(OpError::new(
        "series_differs",
        format!(
            "{count} modules of the sources are not for Odoo {own}: {} is for {theirs}. Choose the branch or commit that is made for {own}.",
            first.name
        ),
    ))
}

/// `17.0` of `17.0.1.2.3`; a shorter version says nothing of its series.
fn series_of(version: &str) -> Option<&str> {
    let mut dots = version.match_indices('.').map(|(at, _)| at);
    let second = dots.nth(1)?;
    dots.nth(1)?;
    let series = &version[..second];
    let major: u32 = series.strip_suffix(".0")?.parse().ok()?;
    (8..=99).contains(&major).then_some(series)
}

#[cfg(test)]
mod tests {
    use super::super::scan::tests::{disk, known};
    use super::*;
    use serde_json::json;

    fn at(path: &str, module: OnDisk) -> OnDisk {
        OnDisk { path: format!("{MOUNT}/x/ab/{path}"), ..module }
    }

    #[test]
    fn what_changed_is_updated_and_what_would_be_lost_is_refused() {
        let installed = |name: &str, version: &str| json!({"name": name, "state": "installed", "version": version});
        let known = known(
            json!([
                installed("base", "17.0.1.3"),
                installed("a", "17.0.1.0"),
                installed("b", "17.0.1.0"),
                installed("lost", "17.0.1.0")
            ]),
            &[("a", "1"), ("b", "1")],
        );
        let before = [disk("base", "1.3", None), disk("a", "1.0", Some("1")), disk("b", "1.0", Some("1"))];
        let after = [
            disk("base", "1.3", None),
            disk("a", "1.0", Some("2")),
            disk("b", "1.0", Some("1")),
            disk("new", "1.0", None),
        ];
        let series = Series::of("17.0");
        let found = |after: &[OnDisk], wish| updates(series, &known, &before, after, wish);
        assert_eq!(found(&after, UpdateModules::Changed).unwrap(), ["a"]);
        assert_eq!(found(&after, UpdateModules::All).unwrap(), ["base"]);
        assert!(found(&after, UpdateModules::None).unwrap().is_empty());
        let error = found(&after[..1], UpdateModules::Changed).unwrap_err();
        assert_eq!(error.code, "module_missing");
        assert!(error.message.contains("a, b."), "{error}");
        let broken = OnDisk { problem: Some("x.py, line 1: invalid syntax".into()), ..disk("a", "1.0", Some("3")) };
        assert_eq!(
            found(&[after[0].clone(), broken, after[2].clone()], UpdateModules::None).unwrap_err().code,
            "module_broken"
        );
    }

    #[test]
    fn modules_of_another_series_are_refused() {
        let known = known(json!([]), &[]);
        let found = |module: OnDisk| updates(Series::of("17.0"), &known, &[], &[module], UpdateModules::Changed);
        assert_eq!(found(at("m", disk("m", "16.0.1.0.0", None))).unwrap_err().code, "series_differs");
        assert!(found(at("m", disk("m", "17.0.1.0.0", None))).is_ok());
        assert!(found(at("m", OnDisk { installable: false, ..disk("m", "16.0.1.0.0", None) })).is_ok());
        assert!(found(at("m", disk("m", "1.0", None))).is_ok());
        assert_eq!((series_of("16.0.1.0.0"), series_of("16.0.1"), series_of("1.0.2.3.4")), (Some("16.0"), None, None));
    }
}
