//! Values that could be something else to Caddy: a name with a path in it, a placeholder that it would replace. The
//! controller has checked them; what would change this server's files or show them is refused here once more.

use crate::engine::OpError;
use ocore_shared::protocol::proxy::{ProxyApply, SiteAccess};
use std::net::IpAddr;

pub fn values(wish: &ProxyApply) -> Result<(), OpError> {
    let refused = |what: &str, value: &str| {
        Err(OpError::new("invalid_input", format!("`{}` is no {what}.", value.chars().take(80).collect::<String>())))
    };
    if wish.http_port == 0 || wish.https_port == 0 || wish.http_port == wish.https_port {
        let ports = format!("{} and {}", wish.http_port, wish.https_port);
        return refused("pair of different ports", &ports);
    }
    if let Some(url) = wish.acme.directory.as_deref().filter(|url| !url.starts_with("https://") || !is_plain(url)) {
        return refused("https address of an ACME directory", url);
    }
    if let Some(email) = wish.acme.email.as_deref().filter(|email| !is_plain(email)) {
        return refused("mail address", email);
    }
    if let Some(console) = &wish.console {
        if !is_name(&console.host) {
            return refused("host name in lower case and ASCII", &console.host);
        }
        if !console.directory.starts_with('/') || !is_plain(&console.directory) {
            return refused("absolute path", &console.directory);
        }
    }
    for site in &wish.sites {
        if let Some(name) = [Some(&site.host), site.redirect_to.as_ref()].into_iter().flatten().find(|n| !is_name(n)) {
            return refused("host name in lower case and ASCII", name);
        }
        let SiteAccess { allow, deny, basic_auth, .. } = &site.access;
        if let Some(network) = allow.iter().chain(deny).find(|network| !is_network(network)) {
            return refused("address or network", network);
        }
        if let Some(user) = basic_auth.keys().find(|user| user.contains(':') || !is_plain(user)) {
            return refused("user of basic authentication", user);
        }
        if basic_auth.values().any(|hash| !hash.starts_with("$2") || !is_plain(hash)) {
            return refused("bcrypt hash", "the password's hash");
        }
    }
    Ok(())
}

/// Something on one line in which Caddy replaces nothing.
fn is_plain(text: &str) -> bool {
    (1..=2048).contains(&text.len()) && !text.chars().any(|c| c.is_control() || matches!(c, '{' | '}'))
}

fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn is_network(text: &str) -> bool {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.is_none_or(|length| length.parse::<u8>().is_ok_and(|length| length <= most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocore_shared::ids::InstanceId;
    use ocore_shared::protocol::proxy::{Acme, Site, SiteCertificate};

    fn wish() -> ProxyApply {
        let access = SiteAccess {
            allow: vec!["10.0.0.0/8".into(), "2001:db8::/32".into()],
            deny: vec!["10.6.6.6".into()],
            basic_auth: [("ada".to_owned(), "$2b$05$x".to_owned())].into(),
            hsts_seconds: None,
        };
        let site = Site {
            host: "www.xn--mnchen-3ya.example".into(),
            instance_id: InstanceId::new(),
            redirect_to: Some("erp.example.com".into()),
            certificate: SiteCertificate::Acme,
            access,
            noindex: false,
        };
        ProxyApply {
            enabled: true,
            image: "caddy:2".into(),
            http_port: 80,
            https_port: 443,
            acme: Acme {
                directory: Some("https://172.17.0.1:14000/dir".into()),
                email: Some("ops@example.com".into()),
                ca_certificate: None,
            },
            sites: vec![site],
            registries: vec![],
            console: None,
        }
    }

    #[test]
    fn values_that_could_be_something_else_are_refused() {
        values(&wish()).unwrap();
        let bad: [fn(&mut ProxyApply); 10] = [
            |w| w.https_port = 80,
            |w| w.acme.directory = Some("http://example.com/dir".into()),
            |w| w.acme.email = Some("{env.SECRET}@example.com".into()),
            |w| w.sites[0].host = "../../etc/x".into(),
            |w| w.sites[0].host = "ERP.example.com".into(),
            |w| w.sites[0].redirect_to = Some("{http.request.host}".into()),
            |w| w.sites[0].access.allow = vec!["10.0.0.0/33".into()],
            |w| w.sites[0].access.deny = vec!["private_ranges".into()],
            |w| drop(w.sites[0].access.basic_auth.insert("{file./data/key}".into(), "$2b$05$x".into())),
            |w| drop(w.sites[0].access.basic_auth.insert("eve".into(), "plain".into())),
        ];
        for (index, change) in bad.into_iter().enumerate() {
            let mut wish = wish();
            change(&mut wish);
            assert_eq!(values(&wish).unwrap_err().code, "invalid_input", "change {index}");
        }
    }
}
