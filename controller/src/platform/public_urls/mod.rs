//! The addresses by which people and agents reach this controller: those of `--public-url`, else those that a person
//! gave at the first start, else a guess. Key `public_urls` of table `settings`.

pub mod store;

use crate::app::App;
use crate::error::{Error, Result};
use crate::fleet::enrollment::addresses::{host_of, join};
use ocore_shared::protocol::CONTROLLER_SERVER_NAME;
use rustls::pki_types::ServerName;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// To connect and to greet.
const PATIENCE: Duration = Duration::from_secs(5);
const MOST: usize = 5;

/// What a person gave, as this replica has last read it.
#[derive(Default)]
pub struct PublicUrls(RwLock<Arc<Vec<String>>>);

impl PublicUrls {
    pub fn get(&self) -> Arc<Vec<String>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set(&self, urls: Vec<String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(urls);
    }
}

/// Read what another replica, or an earlier run, has stored.
pub async fn public_urls_load(app: &App) -> Result<()> {
    app.public_urls.set(store::public_urls_get(app.db.system()).await?);
    Ok(())
}

/// `https://HOST[:PORT]`, without a path; the error names `field`.
pub fn public_urls_check_form(field: &str, urls: &[String]) -> Result<()> {
    if urls.len() > MOST {
        return Err(Error::field(field, "max_items", format!("At most {MOST} addresses can be given.")));
    }
    for (index, url) in urls.iter().enumerate() {
        let uri: Option<http::Uri> = url.parse().ok();
        let plain = |uri: &http::Uri| {
            matches!(uri.scheme_str(), Some("https" | "http"))
                && matches!(uri.path(), "" | "/")
                && uri.query().is_none()
        };
        if !uri.is_some_and(|uri| plain(&uri)) || host_of(url).is_none_or(|host| host.is_empty()) {
            let message = format!("`{url}` is not an address such as https://ocore.example.com:8080.");
            return Err(Error::field(&format!("{field}[{index}]"), "url", message));
        }
    }
    Ok(())
}

/// Whether the agents' port is there at each of these addresses, asked as an agent would.
pub async fn public_urls_check_reach(app: &App, field: &str, urls: &[String]) -> Result<()> {
    for (index, url) in urls.iter().enumerate() {
        let Some(host) = host_of(url) else { continue };
        let address = join(&host, app.config.agents_listen.port());
        if let Err(why) = reach(app, &address).await {
            let message = format!(
                "Servers would connect to {address}, but {why}. Correct the address or open the port; \
                 or use it unchecked, when it works from elsewhere."
            );
            return Err(Error::field(&format!("{field}[{index}]"), "reachable", message));
        }
    }
    Ok(())
}

async fn reach(app: &App, address: &str) -> Result<(), String> {
    let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await;
    let stream = connected.map_err(|_| "nobody answers there".to_owned())?.map_err(|error| match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "the connection is refused".to_owned(),
        _ => format!("it cannot be reached from here ({error})"),
    })?;
    let config = app.pki.authority_tls().map_err(|error| format!("TLS cannot be set up ({error:#})"))?;
    let name = ServerName::try_from(CONTROLLER_SERVER_NAME).map_err(|error| error.to_string())?;
    let greeted = tokio::time::timeout(PATIENCE, TlsConnector::from(config).connect(name, stream)).await;
    match greeted {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => Err("another program answers there, or something in between ends TLS".into()),
        Err(_) => Err("what answers there does not speak TLS".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_addresses_are_taken() {
        let check = |url: &str| public_urls_check_form("public_urls", &[url.to_owned()]);
        for good in ["https://ocore.example.com", "https://ocore.example.com:8080/", "http://[2001:db8::1]:8080"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "ocore.example.com", "https://", "ftp://x", "https://x/console", "https://x?a=b", "https://a b"]
        {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(public_urls_check_form("public_urls", &vec!["https://x".to_owned(); 6]).is_err());
    }
}
