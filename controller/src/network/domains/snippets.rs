//! Configuration for a proxy of one's own: the same rules that oCore's keeps.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What leads a name to an instance, for those who run their own proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Snippets {
    /// A file of nginx, to be included in `http`.
    pub nginx: String,
    /// Dynamic configuration of Traefik, a file in YAML.
    pub traefik: String,
}

/// Where it leads.
pub struct Route<'a> {
    pub host: &'a str,
    /// `192.0.2.7:20000`.
    pub upstream: &'a str,
    /// `17.0`.
    pub odoo_version: &'a str,
    pub noindex: bool,
}

/// A request may take so long, as Odoo's own limits do.
const SECONDS: u32 = 720;
const MEGABYTES: u32 = 128;

/// The live bus of that series.
fn realtime(odoo_version: &str) -> &'static str {
    let major = odoo_version.split('.').next().and_then(|major| major.parse::<u32>().ok()).unwrap_or_default();
    if major >= 16 { "/websocket" } else { "/longpolling/" }
}

/// What things of a name are called in a proxy's files: another name has another one.
fn key_of(host: &str, dot: &str) -> String {
    host.replace('-', &dot.repeat(2)).replace('.', dot)
}

pub fn snippets(route: &Route<'_>) -> Snippets {
    Snippets { nginx: nginx(route), traefik: traefik(route) }
}

fn nginx(route: &Route<'_>) -> String {
    let Route { host, upstream, .. } = route;
    let key = key_of(host, "_");
    let realtime = realtime(route.odoo_version);
    let noindex = if route.noindex { "    add_header X-Robots-Tag noindex always;\n" } else { "" };
    // What a client says of itself is replaced, not appended to: Odoo believes the last entry.
    format!(
        r#"upstream ocore_{key} {{
    server {upstream};
}}
server {{
    listen 80;
    server_name {host};
    return 308 https://$host$request_uri;
}}
server {{
    listen 443 ssl;
    server_name {host};
    ssl_certificate     /etc/ssl/{host}/fullchain.pem;
    ssl_certificate_key /etc/ssl/{host}/privkey.pem;

    client_max_body_size {MEGABYTES}m;
    proxy_max_temp_file_size 0;
    proxy_read_timeout {SECONDS}s;
    proxy_send_timeout {SECONDS}s;
    proxy_http_version 1.1;
    proxy_set_header Host              $host;
    proxy_set_header X-Forwarded-Host  $host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-For   $remote_addr;
    proxy_set_header X-Real-IP         $remote_addr;
    gzip on;
    gzip_types text/css text/plain application/json application/javascript image/svg+xml;
{noindex}
    location /web/database {{
        return 403;
    }}
    location {realtime} {{
        proxy_pass http://ocore_{key};
        proxy_buffering off;
        proxy_set_header Host              $host;
        proxy_set_header X-Forwarded-Host  $host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-For   $remote_addr;
        proxy_set_header Upgrade           $http_upgrade;
        proxy_set_header Connection        "upgrade";
    }}
    location / {{
        proxy_pass http://ocore_{key};
        proxy_redirect off;
    }}
}}
"#,
    )
}

fn traefik(route: &Route<'_>) -> String {
    let Route { host, upstream, .. } = route;
    let key = key_of(host, "-");
    let noindex = if route.noindex { "\n          X-Robots-Tag: noindex" } else { "" };
    let custom = if route.noindex { format!("\n        customResponseHeaders:{noindex}") } else { String::new() };
    // Upgrades and streams pass by themselves; only what is not to be reached needs a rule of its own.
    format!(
        r#"# In the static configuration of the entry points:
#   transport.respondingTimeouts: {{readTimeout: {SECONDS}s, writeTimeout: {SECONDS}s, idleTimeout: {SECONDS}s}}
http:
  routers:
    ocore-{key}:
      rule: Host(`{host}`)
      priority: 1
      entryPoints: [websecure]
      service: ocore-{key}
      middlewares: [ocore-{key}-body, ocore-{key}-headers, ocore-{key}-compress]
      tls: {{}}
    ocore-{key}-realtime:
      rule: Host(`{host}`) && PathPrefix(`{realtime}`)
      priority: 20
      entryPoints: [websecure]
      service: ocore-{key}
      middlewares: [ocore-{key}-headers]
      tls: {{}}
    ocore-{key}-database:
      rule: Host(`{host}`) && PathPrefix(`/web/database`)
      priority: 30
      entryPoints: [websecure]
      service: ocore-{key}
      middlewares: [ocore-{key}-nobody]
      tls: {{}}
    ocore-{key}-http:
      rule: Host(`{host}`)
      entryPoints: [web]
      service: ocore-{key}
      middlewares: [ocore-{key}-https]
  middlewares:
    ocore-{key}-body:
      buffering:
        maxRequestBodyBytes: {bytes}
    ocore-{key}-headers:
      headers:
        customRequestHeaders:
          X-Forwarded-Proto: https
          X-Forwarded-Host: {host}{custom}
    ocore-{key}-compress:
      compress: {{}}
    ocore-{key}-nobody:
      ipAllowList:
        sourceRange: ["255.255.255.255/32"]
    ocore-{key}-https:
      redirectScheme:
        scheme: https
        permanent: true
  services:
    ocore-{key}:
      loadBalancer:
        passHostHeader: true
        serversTransport: ocore-{key}
        servers:
          - url: http://{upstream}
  serversTransports:
    ocore-{key}:
      forwardingTimeouts:
        responseHeaderTimeout: {SECONDS}s
"#,
        realtime = realtime(route.odoo_version),
        bytes = u64::from(MEGABYTES) * 1024 * 1024,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(odoo_version: &str, noindex: bool) -> Snippets {
        let host = "shop.example.com";
        snippets(&Route { host, upstream: "192.0.2.7:20000", odoo_version, noindex })
    }

    #[test]
    fn each_name_has_names_of_its_own() {
        let keys = ["shop.example.com", "www.example.com", "a-b.test", "a.b-test"].map(|host| key_of(host, "_"));
        assert_eq!(keys, ["shop_example_com", "www_example_com", "a__b_test", "a_b__test"]);
    }

    #[test]
    fn both_keep_the_rules() {
        let Snippets { nginx, traefik } = made("17.0", false);
        for text in [
            "server 192.0.2.7:20000;",
            "location /websocket {",
            "location /web/database {\n        return 403;",
            "client_max_body_size 128m;",
            "proxy_read_timeout 720s;",
            "X-Forwarded-Proto $scheme;",
            "upstream ocore_shop_example_com",
            "X-Forwarded-For   $remote_addr;",
        ] {
            assert!(nginx.contains(text), "{text}: {nginx}");
        }
        for text in [
            "url: http://192.0.2.7:20000",
            "PathPrefix(`/websocket`)",
            "PathPrefix(`/web/database`)",
            "maxRequestBodyBytes: 134217728",
            "responseHeaderTimeout: 720s",
            "X-Forwarded-Proto: https",
        ] {
            assert!(traefik.contains(text), "{text}: {traefik}");
        }
        assert!(!nginx.contains("noindex") && !traefik.contains("noindex"));
    }

    #[test]
    fn older_series_have_another_bus_and_copies_are_not_found() {
        let Snippets { nginx, traefik } = made("15.0", true);
        assert!(nginx.contains("location /longpolling/ {") && traefik.contains("PathPrefix(`/longpolling/`)"));
        assert!(nginx.contains("X-Robots-Tag noindex") && traefik.contains("X-Robots-Tag: noindex"));
        let balanced = |open: char, close: char| nginx.matches(open).count() == nginx.matches(close).count();
        assert!(balanced('{', '}'));
    }
}
