//! Caddy's configuration, made of what is to be served. It is whole: nothing is ever added to a running one.

use super::Upstream;
use super::apply::{DIAL, HOLD, HOLD_STEP};
use super::container::CONSOLE_DIRECTORY;
use super::files::{ca_file, certificate_files, inside};
use ocore_shared::ids::InstanceId;
use ocore_shared::protocol::proxy::{CONSOLE_SOCKET, ConsoleSite, ProxyApply, Site, SiteAccess, SiteCertificate};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The whole configuration. Sites whose instance is not here, or that have no certificate yet, are left out.
pub fn render(wish: &ProxyApply, upstreams: &BTreeMap<InstanceId, Upstream>) -> Value {
    let served: Vec<(&Site, &Upstream)> = wish
        .sites
        .iter()
        .filter(|site| site.certificate != SiteCertificate::None)
        .filter_map(|site| Some((site, upstreams.get(&site.instance_id)?)))
        .collect();
    let mut config = json!({
        "admin": {"listen": "unix//run/ocore-caddy.sock", "config": {"persist": false}},
        "logging": {"logs": {"default": {"level": "INFO"}}},
        "storage": {"module": "file_system", "root": "/data/caddy"},
    });
    if served.is_empty() && wish.console.is_none() {
        return config;
    }
    let routes: Vec<Value> =
        wish.console.iter().map(console).chain(served.iter().map(|(site, upstream)| route(site, upstream))).collect();
    config["apps"]["http"] = json!({"servers": {"sites": {
        "listen": [":443"],
        // Only TCP is published: HTTP/3 would be offered to browsers that cannot have it.
        "protocols": ["h1", "h2"],
        "routes": routes,
    }}});
    config["apps"]["tls"] = tls(wish, &served);
    config
}

fn tls(wish: &ProxyApply, served: &[(&Site, &Upstream)]) -> Value {
    let of_sites = served.iter().filter(|(site, _)| site.certificate == SiteCertificate::Acme);
    let names = of_sites.map(|(site, _)| site.host.as_str());
    let fetched: Vec<&str> = wish.console.iter().map(|console| console.host.as_str()).chain(names).collect();
    let given: Vec<Value> = served
        .iter()
        .filter_map(|(site, _)| match &site.certificate {
            SiteCertificate::Given { chain } => Some(certificate_files(&site.host, chain)),
            SiteCertificate::None | SiteCertificate::Acme => None,
        })
        .map(|(chain, key)| json!({"certificate": inside(&chain), "key": inside(&key)}))
        .collect();
    let mut tls = json!({});
    if !fetched.is_empty() {
        // One way of proving is enough, and port 80 has to be open for people anyway.
        let mut issuer = json!({"module": "acme", "challenges": {"tls-alpn": {"disabled": true}}});
        if let Some(directory) = &wish.acme.directory {
            issuer["ca"] = json!(directory);
        }
        if let Some(email) = &wish.acme.email {
            issuer["email"] = json!(email);
        }
        if let Some(pem) = &wish.acme.ca_certificate {
            issuer["trusted_roots_pem_files"] = json!([inside(&ca_file(pem))]);
        }
        tls["automation"] = json!({"policies": [{"subjects": fetched, "issuers": [issuer]}]});
    }
    if !given.is_empty() {
        tls["certificates"] = json!({"load_files": given});
    }
    tls
}

/// The controller, by its socket: streams pass at once, and while it is started again requests wait.
fn console(site: &ConsoleSite) -> Value {
    json!({"match": [{"host": [site.host]}], "terminal": true, "handle": [{"handler": "reverse_proxy",
        "upstreams": [{"dial": format!("unix/{CONSOLE_DIRECTORY}/{CONSOLE_SOCKET}")}], "flush_interval": -1,
        "load_balancing": held()}]})
}

/// How long requests wait for who is away.
fn held() -> Value {
    json!({"try_duration": format!("{}s", HOLD.as_secs()), "try_interval": format!("{}ms", HOLD_STEP.as_millis())})
}

fn route(site: &Site, upstream: &Upstream) -> Value {
    let mut inner = guards(&site.access);
    let mut headers = serde_json::Map::new();
    if let Some(seconds) = site.access.hsts_seconds {
        headers.insert("Strict-Transport-Security".into(), json!([format!("max-age={seconds}")]));
    }
    if site.noindex {
        headers.insert("X-Robots-Tag".into(), json!(["noindex, nofollow"]));
    }
    if !headers.is_empty() {
        inner.push(json!({"handle": [{"handler": "headers", "response": {"set": headers, "deferred": true}}]}));
    }
    match &site.redirect_to {
        Some(primary) => inner.push(json!({"handle": [{"handler": "static_response", "status_code": 308,
            "headers": {"Location": [format!("https://{primary}{{http.request.uri}}")]}}]})),
        None => inner.extend(odoo(upstream)),
    }
    json!({"match": [{"host": [site.host]}], "terminal": true, "handle": [{"handler": "subroute", "routes": inner}]})
}

/// Who is let in.
fn guards(access: &SiteAccess) -> Vec<Value> {
    let refused =
        || json!([{"handler": "static_response", "status_code": 403, "body": "This address may not come in.\n"}]);
    let mut guards = Vec::new();
    if !access.deny.is_empty() {
        guards.push(json!({"match": [{"remote_ip": {"ranges": access.deny}}], "handle": refused(), "terminal": true}));
    }
    if !access.allow.is_empty() {
        let others = json!([{"not": [{"remote_ip": {"ranges": access.allow}}]}]);
        guards.push(json!({"match": others, "handle": refused(), "terminal": true}));
    }
    if !access.basic_auth.is_empty() {
        let accounts: Vec<Value> =
            access.basic_auth.iter().map(|(user, hash)| json!({"username": user, "password": hash})).collect();
        guards.push(json!({"handle": [{"handler": "authentication", "providers": {"http_basic": {
            "accounts": accounts, "hash": {"algorithm": "bcrypt"}, "realm": "restricted"}}}]}));
    }
    guards
}

/// Odoo's own: its database manager is nobody's business, its live bus has a port of its own, and the rest.
fn odoo(upstream: &Upstream) -> Vec<Value> {
    let mut routes = vec![json!({"match": [{"path": ["/web/database", "/web/database/*"]}], "terminal": true,
        "handle": [{"handler": "static_response", "status_code": 403, "body": "Databases are managed in oCore.\n"}]})];
    let hold = held();
    let dial_timeout = format!("{}s", DIAL.as_secs());
    if let Some((path, dial)) = &upstream.realtime {
        routes.push(json!({"match": [{"path": [path]}], "terminal": true, "handle": [{"handler": "reverse_proxy",
            "upstreams": [{"dial": dial}], "flush_interval": -1, "load_balancing": hold,
            "transport": {"protocol": "http", "dial_timeout": dial_timeout}}]}));
    }
    routes.push(json!({"handle": [
        {"handler": "encode", "encodings": {"gzip": {}}},
        {"handler": "reverse_proxy", "upstreams": [{"dial": upstream.http}], "load_balancing": hold,
            "transport": {"protocol": "http", "dial_timeout": dial_timeout}},
    ]}));
    routes
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocore_shared::protocol::proxy::Acme;

    fn site(host: &str, instance: InstanceId) -> Site {
        Site {
            host: host.into(),
            instance_id: instance,
            redirect_to: None,
            certificate: SiteCertificate::Acme,
            access: SiteAccess::default(),
            noindex: false,
        }
    }

    fn wish(sites: Vec<Site>) -> ProxyApply {
        ProxyApply {
            enabled: true,
            image: "caddy:2".into(),
            http_port: 80,
            https_port: 443,
            acme: Acme { email: Some("ops@example.com".into()), ..Acme::default() },
            sites,
            registries: vec![],
            console: None,
        }
    }

    fn upstream(workers: bool) -> Upstream {
        let realtime = workers.then(|| ("/websocket".to_owned(), "odoo-1:8072".to_owned()));
        Upstream { http: "odoo-1:8069".into(), realtime }
    }

    #[test]
    fn the_console_is_served_by_its_socket() {
        let console = ConsoleSite { host: "ocore.example.com".into(), directory: "/var/lib/ocore/console".into() };
        let config = render(&ProxyApply { console: Some(console), ..wish(vec![]) }, &BTreeMap::new());
        let route = &config["apps"]["http"]["servers"]["sites"]["routes"][0];
        assert_eq!(route["match"][0]["host"][0], "ocore.example.com");
        assert_eq!(route["handle"][0]["upstreams"][0]["dial"], "unix//run/ocore-console/console.sock");
        assert_eq!(config["apps"]["tls"]["automation"]["policies"][0]["subjects"][0], "ocore.example.com");
    }

    #[test]
    fn odoo_is_served_held_and_its_database_manager_is_not() {
        let id = InstanceId::new();
        let config = render(&wish(vec![site("erp.example.com", id)]), &[(id, upstream(true))].into());
        let server = &config["apps"]["http"]["servers"]["sites"];
        // With :80 among them Caddy would send nobody on to HTTPS.
        assert_eq!(server["listen"], json!([":443"]));
        assert_eq!(server["protocols"], json!(["h1", "h2"]));
        let routes = server["routes"][0]["handle"][0]["routes"].as_array().unwrap();
        assert_eq!(routes[0]["handle"][0]["status_code"], 403);
        assert_eq!(routes[1]["handle"][0]["upstreams"][0]["dial"], "odoo-1:8072");
        assert_eq!(routes[2]["handle"][1]["load_balancing"]["try_duration"], "45s");
        let policy = &config["apps"]["tls"]["automation"]["policies"][0];
        assert_eq!(policy["subjects"], json!(["erp.example.com"]));
        assert_eq!(
            (policy["issuers"][0]["email"].as_str(), policy["issuers"][0].get("ca")),
            (Some("ops@example.com"), None)
        );
        let threaded = render(&wish(vec![site("erp.example.com", id)]), &[(id, upstream(false))].into());
        let routes =
            threaded["apps"]["http"]["servers"]["sites"]["routes"][0]["handle"][0]["routes"].as_array().unwrap();
        assert_eq!(routes.len(), 2, "without workers nobody listens on the port of the bus");
    }

    #[test]
    fn what_is_given_is_loaded_and_what_is_not_ready_is_left_out() {
        let id = InstanceId::new();
        let given = Site { certificate: SiteCertificate::Given { chain: "x".into() }, ..site("own.example.com", id) };
        let alias = Site { redirect_to: Some("own.example.com".into()), ..given.clone() };
        let alias = Site { host: "www.example.com".into(), ..alias };
        let pending = Site { certificate: SiteCertificate::None, ..site("later.example.com", id) };
        let elsewhere = site("other.example.com", InstanceId::new());
        let renewed = Site { certificate: SiteCertificate::Given { chain: "y".into() }, ..given.clone() };
        let upstreams = [(id, upstream(true))].into();
        let rendered = |site: &Site| render(&wish(vec![site.clone()]), &upstreams);
        assert_ne!(rendered(&given), rendered(&renewed), "Caddy does not look at its files unless this differs");
        let config = render(&wish(vec![given, alias, pending, elsewhere]), &upstreams);
        let routes = config["apps"]["http"]["servers"]["sites"]["routes"].as_array().unwrap();
        assert_eq!(routes.len(), 2);
        let moved = &routes[1]["handle"][0]["routes"][0]["handle"][0];
        assert_eq!(moved["headers"]["Location"][0], "https://own.example.com{http.request.uri}");
        assert_eq!(config["apps"]["tls"]["certificates"]["load_files"].as_array().unwrap().len(), 2);
        assert!(config["apps"]["tls"].get("automation").is_none());
        assert!(render(&wish(vec![]), &BTreeMap::new()).get("apps").is_none());
    }

    #[test]
    fn who_may_not_come_in_is_refused_first() {
        let id = InstanceId::new();
        let access = SiteAccess {
            allow: vec!["10.0.0.0/8".into()],
            deny: vec!["10.6.6.6/32".into()],
            basic_auth: [("ada".to_owned(), "$2b$05$x".to_owned())].into(),
            hsts_seconds: Some(3600),
        };
        let config = render(
            &wish(vec![Site { access, noindex: true, ..site("s.example.com", id) }]),
            &[(id, upstream(true))].into(),
        );
        let routes = config["apps"]["http"]["servers"]["sites"]["routes"][0]["handle"][0]["routes"].as_array().unwrap();
        assert_eq!(routes[0]["match"][0]["remote_ip"]["ranges"][0], "10.6.6.6/32");
        assert_eq!(routes[1]["match"][0]["not"][0]["remote_ip"]["ranges"][0], "10.0.0.0/8");
        assert_eq!(routes[2]["handle"][0]["providers"]["http_basic"]["accounts"][0]["username"], "ada");
        let headers = &routes[3]["handle"][0]["response"]["set"];
        assert_eq!(headers["Strict-Transport-Security"][0], "max-age=3600");
        assert_eq!(headers["X-Robots-Tag"][0], "noindex, nofollow");
    }
}
