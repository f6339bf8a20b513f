//! Configuration for a proxy of one's own: the same rules that oCore's keeps.

use ocore_shared::protocol::proxy::SiteAccess;
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

/// Where it leads, and for whom.
pub struct Route<'a> {
    pub host: &'a str,
    /// `192.0.2.7:20000`.
    pub http: &'a str,
    /// The same of the live bus, where it has a port of its own.
    pub realtime: Option<&'a str>,
    /// `17.0`.
    pub odoo_version: &'a str,
    pub noindex: bool,
    pub access: &'a SiteAccess,
    /// People are sent on to this name.
    pub redirect_to: Option<&'a str>,
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
    let Route { host, http, access, .. } = route;
    let key = key_of(host, "_");
    let path = realtime(route.odoo_version);
    let (bus, bus_upstream) = match route.realtime {
        Some(server) => (format!("ocore_{key}_realtime"), upstream(&format!("ocore_{key}_realtime"), server)),
        None => (format!("ocore_{key}"), String::new()),
    };
    let mut rules = String::new();
    access.deny.iter().for_each(|network| rules += &format!("    deny {network};\n"));
    access.allow.iter().for_each(|network| rules += &format!("    allow {network};\n"));
    if !access.allow.is_empty() {
        rules += "    deny all;\n";
    }
    if !access.basic_auth.is_empty() {
        let file = format!("/etc/nginx/ocore_{key}.htpasswd");
        rules += &format!("    # {}\n", users_of(access, &file));
        rules += &format!("    auth_basic restricted;\n    auth_basic_user_file {file};\n");
    }
    if let Some(seconds) = access.hsts_seconds {
        rules += &format!("    add_header Strict-Transport-Security max-age={seconds} always;\n");
    }
    if route.noindex {
        rules += "    add_header X-Robots-Tag noindex always;\n";
    }
    let inner = match route.redirect_to {
        Some(primary) => format!("    location / {{\n        return 308 https://{primary}$request_uri;\n    }}\n"),
        None => nginx_odoo(&key, path, &bus),
    };
    format!(
        r#"{upstream}{bus_upstream}server {{
    listen 80;
    server_name {host};
    return 308 https://$host$request_uri;
}}
server {{
    listen 443 ssl;
    server_name {host};
    ssl_certificate     /etc/ssl/{host}/fullchain.pem;
    ssl_certificate_key /etc/ssl/{host}/privkey.pem;
{rules}
{inner}}}
"#,
        upstream = upstream(&format!("ocore_{key}"), http),
    )
}

fn upstream(name: &str, server: &str) -> String {
    format!("upstream {name} {{\n    server {server};\n}}\n")
}

/// How the file with the users is made; their passwords are known to nobody here.
fn users_of(access: &SiteAccess, file: &str) -> String {
    let mut users = access.basic_auth.keys();
    let first = users.next().map(|user| format!("htpasswd -B -c {file} {user}"));
    let others = users.map(|user| format!("htpasswd -B {file} {user}"));
    first.into_iter().chain(others).collect::<Vec<_>>().join("; ")
}

fn nginx_odoo(key: &str, path: &str, bus: &str) -> String {
    // What a client says of itself is replaced, not appended to: Odoo believes the last entry.
    format!(
        r#"    client_max_body_size {MEGABYTES}m;
    proxy_max_temp_file_size 0;
    proxy_read_timeout {SECONDS}s;
    proxy_send_timeout {SECONDS}s;
    proxy_http_version 1.1;
    proxy_set_header Host              $http_host;
    proxy_set_header X-Forwarded-Host  $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-For   $remote_addr;
    proxy_set_header X-Real-IP         $remote_addr;
    gzip on;
    gzip_types text/css text/plain application/json application/javascript image/svg+xml;

    location /web/database {{
        return 403;
    }}
    location {path} {{
        proxy_pass http://{bus};
        proxy_buffering off;
        proxy_set_header Host              $http_host;
        proxy_set_header X-Forwarded-Host  $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-For   $remote_addr;
        proxy_set_header Upgrade           $http_upgrade;
        proxy_set_header Connection        "upgrade";
    }}
    location / {{
        proxy_pass http://ocore_{key};
        proxy_redirect off;
    }}
"#,
    )
}

/// A router of Traefik: name, rule, priority, service, what it goes through.
fn router(name: &str, rule: &str, priority: u32, service: &str, through: &[String]) -> String {
    let through = through.join(", ");
    format!(
        "    {name}:\n      rule: {rule}\n      priority: {priority}\n      entryPoints: [websecure]\n      \
         service: {service}\n      middlewares: [{through}]\n      tls: {{}}\n"
    )
}

fn traefik(route: &Route<'_>) -> String {
    let Route { host, http, access, .. } = route;
    let key = key_of(host, "-");
    let path = realtime(route.odoo_version);
    let name = |what: &str| format!("ocore-{key}-{what}");
    let (service, named) = (format!("ocore-{key}"), format!("Host(`{host}`)"));
    let bus = route.realtime.map_or_else(|| service.clone(), |_| name("realtime"));
    // In the order in which a request goes through them.
    let mut guards = Vec::new();
    let mut middlewares = String::new();
    if !access.allow.is_empty() {
        guards.push(name("allow"));
        let networks = access.allow.join("\", \"");
        middlewares += &format!("    {}:\n      ipAllowList:\n        sourceRange: [\"{networks}\"]\n", name("allow"));
    }
    if !access.basic_auth.is_empty() {
        guards.push(name("users"));
        let file = format!("/etc/traefik/{}.htpasswd", name("users"));
        middlewares += &format!("    # {}\n", users_of(access, &file));
        middlewares += &format!("    {}:\n      basicAuth:\n        usersFile: {file}\n", name("users"));
    }
    if let Some(primary) = route.redirect_to {
        guards.push(name("primary"));
        middlewares += &format!(
            "    {}:\n      redirectRegex:\n        regex: ^https://[^/]+(.*)$\n        \
             replacement: https://{primary}${{1}}\n        permanent: true\n",
            name("primary")
        );
    }
    let mut headers = format!(
        "    {}:\n      headers:\n        customRequestHeaders:\n          X-Forwarded-Proto: https\n          \
         X-Forwarded-Host: {host}\n",
        name("headers")
    );
    if route.noindex {
        headers += "        customResponseHeaders:\n          X-Robots-Tag: noindex\n";
    }
    if let Some(seconds) = access.hsts_seconds {
        headers += &format!("        stsSeconds: {seconds}\n");
    }
    let through = |more: &[&str]| guards.iter().cloned().chain(more.iter().map(|what| name(what))).collect::<Vec<_>>();
    let mut routers = router(&service, &named, 1, &service, &through(&["body", "headers", "compress"]));
    let realtime = format!("{named} && PathPrefix(`{path}`)");
    routers += &router(&name("realtime"), &realtime, 20, &bus, &through(&["headers"]));
    let database = format!("{named} && PathPrefix(`/web/database`)");
    routers += &router(&name("database"), &database, 30, &service, &[name("nobody")]);
    if !access.deny.is_empty() {
        let ips = access.deny.iter().map(|network| format!("ClientIP(`{network}`)")).collect::<Vec<_>>().join(" || ");
        routers += &router(&name("deny"), &format!("{named} && ({ips})"), 40, &service, &[name("nobody")]);
    }
    let services = [(Some(*http), &service), (route.realtime, &bus)].into_iter().filter_map(|(server, name)| {
        let server = server?;
        Some(format!(
            "    {name}:\n      loadBalancer:\n        passHostHeader: true\n        serversTransport: ocore-{key}\n        \
             servers:\n          - url: http://{server}\n"
        ))
    });
    let services: String = services.collect();
    format!(
        r#"# In the static configuration of the entry points:
#   transport.respondingTimeouts: {{readTimeout: {SECONDS}s, writeTimeout: {SECONDS}s, idleTimeout: {SECONDS}s}}
http:
  routers:
{routers}    ocore-{key}-http:
      rule: {named}
      entryPoints: [web]
      service: ocore-{key}
      middlewares: [ocore-{key}-https]
  middlewares:
{middlewares}    ocore-{key}-body:
      buffering:
        maxRequestBodyBytes: {bytes}
{headers}    ocore-{key}-compress:
      compress: {{}}
    ocore-{key}-nobody:
      ipAllowList:
        sourceRange: ["255.255.255.255/32"]
    ocore-{key}-https:
      redirectScheme:
        scheme: https
        permanent: true
  services:
{services}  serversTransports:
    ocore-{key}:
      forwardingTimeouts:
        responseHeaderTimeout: {SECONDS}s
"#,
        bytes = u64::from(MEGABYTES) * 1024 * 1024,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn made(odoo_version: &str, noindex: bool) -> Snippets {
        with(&SiteAccess::default(), |route| Route { odoo_version, noindex, ..route })
    }

    fn with<'a>(access: &'a SiteAccess, change: impl FnOnce(Route<'a>) -> Route<'a>) -> Snippets {
        let host = "shop.example.com";
        let (odoo_version, noindex) = ("17.0", false);
        let http = "192.0.2.7:20000";
        snippets(&change(Route { host, http, realtime: None, odoo_version, noindex, access, redirect_to: None }))
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
    fn the_live_bus_is_led_to_its_own_port() {
        let Snippets { nginx, traefik } =
            with(&SiteAccess::default(), |route| Route { realtime: Some("192.0.2.7:20001"), ..route });
        assert!(nginx.contains("upstream ocore_shop_example_com_realtime {\n    server 192.0.2.7:20001;"), "{nginx}");
        assert!(nginx.contains("proxy_pass http://ocore_shop_example_com_realtime;"), "{nginx}");
        assert!(traefik.contains("    ocore-shop-example-com-realtime:\n      loadBalancer:"), "{traefik}");
        assert!(traefik.contains("service: ocore-shop-example-com-realtime\n"), "{traefik}");
    }

    #[test]
    fn who_may_come_in_is_kept() {
        let access = SiteAccess {
            allow: vec!["203.0.113.0/24".into(), "2001:db8::/32".into()],
            deny: vec!["203.0.113.66".into()],
            basic_auth: BTreeMap::from([("ada".into(), "$2b$10$secret".into()), ("bob".into(), String::new())]),
            hsts_seconds: Some(300),
        };
        let Snippets { nginx, traefik } = with(&access, |route| route);
        let rules = "    deny 203.0.113.66;\n    allow 203.0.113.0/24;\n    allow 2001:db8::/32;\n    deny all;\n";
        for text in [
            rules,
            "htpasswd -B -c /etc/nginx/ocore_shop_example_com.htpasswd ada; htpasswd -B /etc",
            "auth_basic_user_file /etc/nginx/ocore_shop_example_com.htpasswd;",
            "Strict-Transport-Security max-age=300 always",
        ] {
            assert!(nginx.contains(text), "{text}: {nginx}");
        }
        for text in [
            r#"sourceRange: ["203.0.113.0/24", "2001:db8::/32"]"#,
            "rule: Host(`shop.example.com`) && (ClientIP(`203.0.113.66`))\n      priority: 40",
            "[ocore-shop-example-com-allow, ocore-shop-example-com-users, ocore-shop-example-com-body,",
            "usersFile: /etc/traefik/ocore-shop-example-com-users.htpasswd",
            "stsSeconds: 300",
        ] {
            assert!(traefik.contains(text), "{text}: {traefik}");
        }
        assert!(!nginx.contains("secret") && !traefik.contains("secret"), "hashes are nobody's business");
    }

    #[test]
    fn people_are_sent_on() {
        let Snippets { nginx, traefik } =
            with(&SiteAccess::default(), |route| Route { redirect_to: Some("www.example.com"), ..route });
        assert!(nginx.contains("return 308 https://www.example.com$request_uri;") && !nginx.contains("proxy_pass"));
        assert!(traefik.contains("replacement: https://www.example.com${1}"), "{traefik}");
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
