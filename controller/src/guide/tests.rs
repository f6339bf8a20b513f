//! What the guide must keep up with: its own links, and every error code that the sources can answer.

use super::{CONTENTS, Pages};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn page(name: &str) -> String {
    let file = Pages::get(&format!("{name}.md")).unwrap_or_else(|| panic!("docs/{name}.md is missing"));
    String::from_utf8(file.data.into_owned()).unwrap()
}

/// The sources that run, without their tests.
fn sources() -> Vec<(PathBuf, String)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders: Vec<PathBuf> = ["controller", "agent", "shared"].map(|name| crates.join(name).join("src")).into();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.contains("test") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).unwrap();
                let runs = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
                found.push((path, runs));
            }
        }
    }
    found
}

/// A text of lower-case words at the beginning, between quotes.
fn quoted(text: &str) -> Option<&str> {
    let (word, _) = text.trim_start().strip_prefix('"')?.split_once('"')?;
    let is_code = !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    is_code.then_some(word)
}

/// Every error code that a source names.
fn codes(text: &str) -> BTreeSet<String> {
    const BEFORE: [&str; 8] = [
        "code:",
        "conflict(",
        "forbidden(",
        "failed(",
        "OpError::new(",
        "OpError::retryable(",
        "ApiError::new(",
        "FileError::new(",
    ];
    let mut found = BTreeSet::new();
    for before in BEFORE {
        for (at, _) in text.match_indices(before) {
            let mut rest = &text[at + before.len()..];
            // A status, or a kind of trouble, stands first.
            const KINDS: [&str; 2] = ["StatusCode::", "Trouble::"];
            if let Some((status, code)) =
                rest.split_once(',').filter(|(first, _)| KINDS.iter().any(|kind| first.trim().starts_with(kind)))
                && !status.contains('"')
            {
                rest = code;
            }
            found.extend(quoted(rest).map(str::to_owned));
        }
    }
    // Where a kind of error has its code.
    if let Some((_, body)) = text.split_once("pub fn code(") {
        let body = body.split("\n    }\n").next().unwrap();
        found.extend(body.match_indices("=>").filter_map(|(at, _)| quoted(&body[at + 2..])).map(str::to_owned));
    }
    found
}

#[test]
fn every_error_code_is_on_the_page_of_errors() {
    let page = page("errors");
    let mut missing: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut all = BTreeSet::new();
    for (path, text) in sources() {
        for code in codes(&text) {
            if !page.contains(&format!("`{code}`")) {
                missing.insert(code.clone(), path.clone());
            }
            all.insert(code);
        }
    }
    assert!(missing.is_empty(), "not in controller/docs/errors.md: {missing:#?}");
    // One of each way in which codes are written: what reads them still does.
    for known in [
        "name_taken",
        "token_expired",
        "rate_limited",
        "key_revoked",
        "mail_refused",
        "unauthenticated",
        "sql_failed",
        "port_taken",
        "session_required",
        "agent_error",
        "idempotency_key_reused",
        "upload_offset",
    ] {
        assert!(all.contains(known), "{known} is not found in the sources any more");
    }
}

#[test]
fn the_page_of_errors_tells_of_no_code_that_is_gone() {
    let sources: String = sources().into_iter().map(|(_, text)| text).collect();
    let page = page("errors");
    let cells = page.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    let told: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(told.len() > 150, "{}", told.len());
    let gone: Vec<_> = told.iter().filter(|code| !sources.contains(&format!("\"{code}\""))).collect();
    assert!(gone.is_empty(), "{gone:?} is in controller/docs/errors.md, but nobody answers it");
}

#[test]
fn links_between_pages_lead_somewhere() {
    let known: BTreeSet<&str> = CONTENTS.iter().map(|(name, _)| *name).collect();
    for (name, _) in CONTENTS {
        let text = page(name);
        for (at, prefix) in text.match_indices("](/docs/guide/") {
            let target = text[at + prefix.len()..].split([')', '#']).next().unwrap();
            assert!(known.contains(target), "{name}.md links to {target}");
        }
        assert!(name == "index" || page("index").contains(&format!("](/docs/guide/{name})")), "index.md lacks {name}");
    }
}
