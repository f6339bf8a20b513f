//! Where modules and lists of packages are in a repository, told from the names of its files alone.

use std::collections::BTreeSet;

/// Of the files of a repository, the directories that hold modules: the repository itself first. Modules lie at most two
/// directories below it; a module inside a module is none.
pub fn addons_directories(files: &[String]) -> Vec<String> {
    let modules: BTreeSet<&str> = files.iter().filter_map(|path| path.strip_suffix("/__manifest__.py")).collect();
    let inside = |path: &str| ancestors(path).any(|above| modules.contains(above));
    let parents =
        modules.iter().filter(|path| path.matches('/').count() <= 2 && !inside(path)).map(|path| parent(path));
    let found: BTreeSet<&str> = parents.filter(|path| !hidden(path)).collect();
    found.into_iter().map(str::to_owned).collect()
}

/// The lists of packages of the repository and of each of these directories.
pub fn requirements(files: &[String], directories: &[String]) -> Vec<String> {
    let mut wanted: Vec<String> = vec!["requirements.txt".into()];
    wanted.extend(directories.iter().filter(|path| !path.is_empty()).map(|path| format!("{path}/requirements.txt")));
    wanted.retain(|path| files.contains(path));
    wanted
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(above, _)| above)
}

fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// `.github`, `setup` (OCA's packaging, with links to the modules): nothing that Odoo is to load.
fn hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.')) || path == "setup" || path.starts_with("setup/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[&str]) -> (Vec<String>, Vec<String>) {
        let files: Vec<String> = files.iter().map(|f| (*f).to_owned()).collect();
        let directories = addons_directories(&files);
        let requirements = requirements(&files, &directories);
        (directories, requirements)
    }

    #[test]
    fn modules_lie_in_the_repository_or_in_directories_of_it() {
        let oca = [
            "README.md",
            "requirements.txt",
            "web_x/__manifest__.py",
            "web_x/tests/m/__manifest__.py",
            "setup/web_x/odoo/addons/web_x",
            ".github/x/__manifest__.py",
        ];
        assert_eq!(found(&oca), (vec![String::new()], vec!["requirements.txt".to_owned()]));
        let project = [
            "addons/a/__manifest__.py",
            "oca/web/b/__manifest__.py",
            "oca/web/requirements.txt",
            "one/two/three/c/__manifest__.py",
        ];
        assert_eq!(found(&project).0, ["addons", "oca/web"]);
        assert_eq!(found(&project).1, ["oca/web/requirements.txt"]);
        assert_eq!(found(&["__manifest__.py", "models/a.py"]).0, [""; 0]);
    }
}
