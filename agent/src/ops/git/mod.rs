//! Addons from git, by git's own program: it speaks everything that servers of git speak, and knows the tricks of each.
//!
//! A source has a repository below `instances/<id>/repositories` and, for each commit that is or was in use, a work tree
//! below `instances/<id>/sources`, which Odoo's containers see read-only. Fetching the same again changes nothing.

mod access;
mod command;
mod layout;

use crate::engine::{JobContext, OpError};
use crate::ops::odoo::record::{Records, disk};
use access::Access;
use command::Git;
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::addons::AddonSource;
use ocore_shared::secret::Secret;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// More than that is no list of packages.
const MAX_REQUIREMENTS: usize = 256 * 1024;

/// A source whose files are here.
pub struct Fetched {
    /// The same with its commit and its directories of modules.
    pub source: AddonSource,
    /// Lists of Python packages that it asks for, by their place in it.
    pub requirements: Vec<(String, String)>,
}

/// Have the files of a source at the commit that its reference stands for now. `secret` is the value of its credential.
pub async fn source_fetch(
    ctx: &JobContext, records: &Records, instance: InstanceId, source: &AddonSource, secret: Option<&Secret>,
) -> Result<Fetched, OpError> {
    let repository = records.repositories_dir(instance).join(&source.name);
    let access = Access::new(&repository, source, secret)?;
    let git = Git { ctx, source, repository: &repository, access: &access };
    git.init().await?;
    let commit = git.resolve().await?;
    git.have(&commit).await?;
    let tree = records.sources_dir(instance).join(&source.name).join(&commit);
    checkout(&git, &tree, &commit).await?;
    let files = git.files(&commit).await?;
    let paths = layout::addons_directories(&files);
    if paths.is_empty() {
        return Err(OpError::new(
            "addons_missing",
            format!(
                "The source {} has no Odoo module at {commit}: no __manifest__.py in a directory of its own, at most two levels down.",
                source.name
            ),
        ));
    }
    let mut requirements = Vec::new();
    for path in layout::requirements(&files, &paths) {
        let text = git.show(&commit, &path).await?;
        if text.len() > MAX_REQUIREMENTS {
            return Err(OpError::new("requirements_invalid", format!("{path} of {} is too long.", source.name)));
        }
        requirements.push((path, text));
    }
    ctx.log(format!("{}: {commit}, modules in {}", source.name, described(&paths)));
    let source = AddonSource { commit: Some(commit), paths, ..source.clone() };
    Ok(Fetched { source, requirements })
}

fn described(paths: &[String]) -> String {
    let names: Vec<&str> = paths.iter().map(|path| if path.is_empty() { "its root" } else { path.as_str() }).collect();
    names.join(", ")
}

/// A work tree beside its final place, then in it: what is there is whole.
async fn checkout(git: &Git<'_>, tree: &Path, commit: &str) -> Result<(), OpError> {
    if tree.is_dir() {
        return Ok(());
    }
    let mut part = tree.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    remove(&part)?;
    let dir = tree.parent().unwrap_or(tree);
    std::fs::create_dir_all(dir).map_err(|e| disk(dir, &e))?;
    git.work_tree(&part, commit).await?;
    readable(&part).map_err(|e| disk(&part, &e))?;
    for dir in tree.ancestors().skip(1).take(2) {
        open(dir, 0o755).map_err(|e| disk(dir, &e))?;
    }
    std::fs::rename(&part, tree).map_err(|e| disk(tree, &e))
}

fn remove(path: &Path) -> Result<(), OpError> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(disk(path, &e)),
        _ => Ok(()),
    }
}

fn open(path: &Path, mode: u32) -> std::io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Odoo's user in its container is nobody here, whatever the agent's own mask is. Links are left as they are.
fn readable(top: &Path) -> std::io::Result<()> {
    open(top, 0o755)?;
    for entry in std::fs::read_dir(top)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            readable(&entry.path())?;
        } else if kind.is_file() {
            let executable = entry.metadata()?.permissions().mode() & 0o100 != 0;
            open(&entry.path(), if executable { 0o755 } else { 0o644 })?;
        }
    }
    Ok(())
}

/// Forget the work trees that none of these sources use, and the repositories of sources that are not among them.
pub fn sources_tidy(records: &Records, instance: InstanceId, sources: &[AddonSource]) -> Result<(), OpError> {
    let kept: BTreeSet<PathBuf> =
        sources.iter().filter_map(|source| Some(PathBuf::from(&source.name).join(source.commit.as_ref()?))).collect();
    let names: BTreeSet<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    let trees = records.sources_dir(instance);
    for name in directories(&trees) {
        for commit in directories(&trees.join(&name)) {
            let tree = Path::new(&name).join(&commit);
            if !kept.contains(&tree) {
                remove(&trees.join(tree))?;
            }
        }
    }
    for name in directories(&records.repositories_dir(instance)) {
        if !names.contains(name.as_str()) {
            remove(&records.repositories_dir(instance).join(&name))?;
            remove(&trees.join(&name))?;
        }
    }
    Ok(())
}

fn directories(path: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let names = entries.flatten().filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir()));
    names.filter_map(|e| e.file_name().into_string().ok()).collect()
}
