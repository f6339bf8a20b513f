//! What people write to name a file: a root and the way in it.

use super::{FileError, FileResult};
use std::fmt;

const LONGEST_PATH: usize = 4096;
const LONGEST_NAME: usize = 255;
/// Files that are still being written begin so; nobody sees them.
pub const DRAFT: &str = ".ocore-draft-";

/// A root and what lies in it; nothing in it leads up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath {
    pub root: String,
    names: Vec<String>,
}

impl FilePath {
    /// None: the place above all roots.
    pub fn parse(text: &str) -> FileResult<Option<Self>> {
        if text.len() > LONGEST_PATH {
            return Err(FileError::invalid(format!("A path has at most {LONGEST_PATH} bytes.")));
        }
        if text.contains('\0') {
            return Err(FileError::invalid("A path holds no NUL."));
        }
        let mut names = Vec::new();
        for name in text.split('/').filter(|name| !name.is_empty() && *name != ".") {
            if name == ".." {
                return Err(FileError::invalid("A path does not lead up: write it without '..'."));
            }
            if name.len() > LONGEST_NAME {
                return Err(FileError::invalid(format!("A name in a path has at most {LONGEST_NAME} bytes.")));
            }
            if name.starts_with(DRAFT) {
                return Err(FileError::invalid(format!("Names that begin with {DRAFT} are the agent's own.")));
            }
            names.push(name.to_owned());
        }
        if names.is_empty() {
            return Ok(None);
        }
        let root = names.remove(0);
        Ok(Some(Self { root, names }))
    }

    /// Somewhere in a root, or a root itself.
    pub fn required(text: &str) -> FileResult<Self> {
        Self::parse(text)?.ok_or_else(|| FileError::invalid("Name a file: a path begins with a root, like addons/…"))
    }

    /// The directory that it lies in, relative to the root, and its name. A root lies nowhere.
    pub fn split(&self) -> FileResult<(String, &str)> {
        match self.names.split_last() {
            Some((name, parents)) => Ok((relative(parents), name)),
            None => Err(FileError::invalid(format!("{}/ itself cannot be changed, only what is in it.", self.root))),
        }
    }

    /// Relative to the root.
    pub fn relative(&self) -> String {
        relative(&self.names)
    }

    /// Its last name.
    pub fn name(&self) -> &str {
        self.names.last().unwrap_or(&self.root)
    }

    /// What lies in it under that name.
    pub fn join(&self, name: &str) -> String {
        format!("{self}/{name}")
    }
}

fn relative(names: &[String]) -> String {
    if names.is_empty() { ".".into() } else { names.join("/") }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root)?;
        self.names.iter().try_for_each(|name| write!(f, "/{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_root_and_names() {
        let path = FilePath::parse("/addons//sale/./models/a.py").unwrap().unwrap();
        assert_eq!((path.root.as_str(), path.relative().as_str()), ("addons", "sale/models/a.py"));
        assert_eq!(path.split().unwrap(), ("sale/models".to_owned(), "a.py"));
        assert_eq!(path.to_string(), "addons/sale/models/a.py");
        let root = FilePath::required("addons/").unwrap();
        assert_eq!((root.relative().as_str(), root.name()), (".", "addons"));
        assert!(root.split().is_err() && FilePath::required("/").is_err());
        assert_eq!(FilePath::parse("").unwrap(), None);
    }

    #[test]
    fn nothing_leads_up() {
        let long = "x".repeat(256);
        let longer = "x/".repeat(3000);
        for bad in ["..", "addons/../..", "addons/..", "a\0b", &long, &longer, "addons/.ocore-draft-1"] {
            assert_eq!(FilePath::parse(bad).unwrap_err().code, "file_path_invalid", "{bad:?}");
        }
        assert!(FilePath::parse("addons/..hidden/a..b").is_ok());
    }
}
