//! The guide: the pages of `controller/docs`, embedded and shown at /docs/guide.

use crate::app::App;
use crate::error::{Error, Result};
use axum::Router;
use axum::extract::Path;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use pulldown_cmark::{Options, Parser, html};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "docs"]
struct Pages;

/// In the order of the contents.
const CONTENTS: [(&str, &str); 25] = [
    ("index", "Start"),
    ("servers", "Servers"),
    ("projects", "Projects and environments"),
    ("instances", "Instances"),
    ("logs-and-health", "Logs and health"),
    ("configuration", "Configuration"),
    ("modules", "Modules"),
    ("addons", "Addons and upgrades"),
    ("files", "Files"),
    ("databases", "Databases"),
    ("backups", "Backups"),
    ("destinations", "Backup destinations"),
    ("domains", "Domains"),
    ("registries", "Registries"),
    ("organizations", "Organizations and members"),
    ("roles", "Roles and permissions"),
    ("keys", "API keys"),
    ("webhooks", "Webhooks and notices"),
    ("audit", "Audit log"),
    ("security", "Security"),
    ("api", "API conventions"),
    ("errors", "Errors"),
    ("operations", "Running the controller"),
    ("settings", "Mail and settings"),
    ("performance", "Performance"),
];

pub fn routes() -> Router<App> {
    Router::new()
        .route("/docs/guide", get(|| page("index".to_owned())))
        .route("/docs/guide/guide.css", get(style))
        .route("/docs/guide/{page}", get(|Path(name): Path<String>| page(name)))
}

async fn style() -> Result<impl IntoResponse> {
    let file = Pages::get("guide.css").ok_or(Error::NotFound("page"))?;
    Ok(([(header::CONTENT_TYPE, "text/css; charset=utf-8")], file.data.into_owned()))
}

async fn page(name: String) -> Result<Html<String>> {
    let (_, title) = CONTENTS.iter().find(|(known, _)| *known == name).ok_or(Error::NotFound("page"))?;
    let file = Pages::get(&format!("{name}.md")).ok_or(Error::NotFound("page"))?;
    let text = String::from_utf8_lossy(&file.data);
    let mut body = String::new();
    html::push_html(&mut body, Parser::new_ext(&text, Options::ENABLE_TABLES));
    let entry = |(page, title): &(&str, &str)| {
        let here = if *page == name { " aria-current=\"page\"" } else { "" };
        let page = if *page == "index" { String::new() } else { format!("/{page}") };
        format!("<li><a href=\"/docs/guide{page}\"{here}>{title}</a></li>")
    };
    let contents: String =
        CONTENTS.iter().filter(|(page, _)| Pages::get(&format!("{page}.md")).is_some()).map(entry).collect();
    Ok(Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title} - oCore</title><link rel=\"stylesheet\" href=\"/docs/guide/guide.css\"></head><body>\
         <nav><a href=\"/\">oCore</a><ul>{contents}</ul><a href=\"/docs/\">API reference</a></nav><main>{body}</main></body></html>"
    )))
}

#[cfg(test)]
mod tests;
