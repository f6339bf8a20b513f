//! What holds for the whole tree: the committed documents are the generated ones, and everything stands where it belongs.

use crate::commands::{openapi_text, openapi_v1_text};

#[test]
fn the_committed_documents_are_the_generated_ones() {
    for (name, generated) in [("api", openapi_text()), ("v1", openapi_v1_text())] {
        let path = format!("{}/openapi/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let generated = generated.unwrap() + "\n";
        if std::env::var_os("OCORE_UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == generated, "{name}.json of controller/openapi is old: run with OCORE_UPDATE_SNAPSHOTS=1");
    }
}

/// Files below `controller/src`, as (path from there, content).
fn sources() -> Vec<(String, String)> {
    fn walk(dir: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    let relative = |p: &std::path::Path| p.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
    found
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == "rs"))
        .map(|p| (relative(&p), std::fs::read_to_string(&p).unwrap()))
        .collect()
}

#[test]
fn sql_lives_in_stores_and_axum_in_routes() {
    let is_test = |path: &str| path.ends_with("tests.rs") || path == "testing.rs";
    let sql_home = |path: &str| path.ends_with("store.rs") || path.starts_with("platform/db/") || is_test(path);
    // The plumbing that is axum, and the two places whose subject is a WebSocket.
    let axum_home = |path: &str| {
        path.ends_with("routes.rs")
            || path.starts_with("platform/http/")
            || path.starts_with("identity/authentication/")
            || path.starts_with("fleet/terminals/")
            || ["compat/routes.rs", "compat/answers.rs"].contains(&path)
            || ["router.rs", "error.rs", "health.rs", "console.rs", "guide.rs", "platform/tunnel/accept.rs"]
                .contains(&path)
            || is_test(path)
    };
    for (path, text) in sources() {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        assert!(sql_home(&path) || !code.contains("sqlx::query"), "{path} has SQL; it belongs into a store.rs");
        let code_less = code.replace("utoipa_axum::", "");
        assert!(axum_home(&path) || !code_less.contains("axum::"), "{path} uses axum; it belongs into a routes.rs");
        if path != "router.rs" && !is_test(&path) {
            assert!(!code.contains(".route(\"/api"), "{path} adds a route past the document and its guard");
        }
    }
}
