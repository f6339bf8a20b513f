//! Signing in to a registry, as its API wants it: `/v2/` says how, with a password or for a token.

use super::model::{RegistryCheck, RegistryStatus};
use crate::app::App;
use crate::platform::outbound::{OutboundError, OutboundReply, OutboundRequest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use ocore_shared::protocol::registries::DOCKER_HUB;
use ocore_shared::secret::Secret;
use reqwest::Url;
use serde::Deserialize;
use zeroize::Zeroizing;

/// How many repositories are shown.
const SHOWN: usize = 20;
const MOST_BYTES: usize = 256 * 1024;

/// Sign in and list. What is wrong is in the answer; nothing here is an error.
pub async fn registry_check(app: &App, address: &str, user: Option<(&str, &Secret)>) -> RegistryCheck {
    let mut found = Visit { app, user, scheme: "https" }.check(address).await;
    // A registry of the operator's own network may have no certificate.
    if let Err(OutboundError::Connect(_)) = found {
        found = Visit { app, user, scheme: "http" }.check(address).await.map_err(|_| found.unwrap_err());
    }
    found.unwrap_or_else(|error| RegistryCheck {
        status: RegistryStatus::Unreachable,
        message: Some(format!("The controller cannot ask it, servers may: {error}")),
        repositories: Vec::new(),
    })
}

struct Visit<'a> {
    app: &'a App,
    user: Option<(&'a str, &'a Secret)>,
    scheme: &'static str,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Catalogue {
    #[serde(default)]
    repositories: Vec<String>,
}

impl Visit<'_> {
    async fn check(&self, address: &str) -> Result<RegistryCheck, OutboundError> {
        let host = if address == DOCKER_HUB { "registry-1.docker.io" } else { address };
        let root = self.app.outbound.url_read(&format!("{}://{host}/v2/", self.scheme))?;
        let open = self.get(root.clone(), None).await?;
        if open.status.is_success() {
            let repositories = self.catalogue(&root, None).await;
            return Ok(match self.user {
                None => good(repositories),
                // It asks nobody who they are, so it cannot say whether these are right.
                Some(_) => RegistryCheck {
                    message: Some("It asks for no credentials; those given are not used.".into()),
                    ..good(repositories)
                },
            });
        }
        if open.status != StatusCode::UNAUTHORIZED {
            return Ok(RegistryCheck {
                status: RegistryStatus::Unreachable,
                message: Some(format!("What answers there is no registry: /v2/ answers {}.", open.status.as_u16())),
                repositories: Vec::new(),
            });
        }
        let Some((username, password)) = self.user else {
            return Ok(refused("It asks for credentials; give a user and a password or token."));
        };
        let challenge = open.headers.get(header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let credentials = match challenge.and_then(bearer) {
            Some(challenge) => match self.token(&challenge, username, password).await? {
                Some(token) => token,
                None => return Ok(refused("It refuses this user or password. Use an access token where it has them.")),
            },
            None => basic(username, password),
        };
        let asked = self.get(root.clone(), Some(&credentials)).await?;
        if !asked.status.is_success() {
            return Ok(refused("It refuses this user or password. Use an access token where it has them."));
        }
        Ok(good(self.catalogue(&root, Some(&credentials)).await))
    }

    /// The value of an Authorization header, or None where they are refused.
    async fn token(
        &self, challenge: &Challenge, username: &str, password: &Secret,
    ) -> Result<Option<Zeroizing<String>>, OutboundError> {
        let mut url = self.app.outbound.url_read(&challenge.realm)?;
        url.query_pairs_mut().append_pair("account", username);
        if let Some(service) = &challenge.service {
            url.query_pairs_mut().append_pair("service", service);
        }
        let reply = self.get(url, Some(&basic(username, password))).await?;
        let token = serde_json::from_slice::<Token>(&reply.body).ok().and_then(|t| t.token.or(t.access_token));
        Ok(token.filter(|_| reply.status.is_success()).map(|token| Zeroizing::new(format!("Bearer {token}"))))
    }

    /// Many do not let one list; that is no failure.
    async fn catalogue(&self, root: &Url, credentials: Option<&Zeroizing<String>>) -> Vec<String> {
        let Ok(url) = root.join(&format!("_catalog?n={SHOWN}")) else { return Vec::new() };
        let Ok(reply) = self.get(url, credentials).await else { return Vec::new() };
        let found = serde_json::from_slice::<Catalogue>(&reply.body).ok().filter(|_| reply.status.is_success());
        found.map(|c| c.repositories.into_iter().take(SHOWN).collect()).unwrap_or_default()
    }

    async fn get(&self, url: Url, credentials: Option<&Zeroizing<String>>) -> Result<OutboundReply, OutboundError> {
        let mut headers = HeaderMap::new();
        if let Some(mut value) = credentials.and_then(|c| HeaderValue::from_str(c).ok()) {
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let request =
            OutboundRequest { method: Method::GET, url, headers, body: Bytes::new(), redirects: 0, most: MOST_BYTES };
        self.app.outbound.send(request).await
    }
}

fn good(repositories: Vec<String>) -> RegistryCheck {
    RegistryCheck { status: RegistryStatus::Ok, message: None, repositories }
}

fn refused(message: &str) -> RegistryCheck {
    RegistryCheck { status: RegistryStatus::Refused, message: Some(message.into()), repositories: Vec::new() }
}

fn basic(username: &str, password: &Secret) -> Zeroizing<String> {
    let plain = Zeroizing::new(format!("{username}:{}", password.expose()));
    Zeroizing::new(format!("Basic {}", STANDARD.encode(plain.as_bytes())))
}

#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: Option<String>,
}

/// `Bearer realm="https://auth…/token",service="registry…"`.
fn bearer(challenge: &str) -> Option<Challenge> {
    let (scheme, parameters) = challenge.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let value = |name: &str| {
        parameters.split(',').find_map(|part| {
            let (key, value) = part.trim().split_once('=')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim_matches('"').to_owned())
        })
    };
    Some(Challenge { realm: value("realm")?, service: value("service") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_says_where_tokens_are() {
        let found = bearer(r#"Bearer realm="https://auth.example.com/token",service="registry.example.com""#).unwrap();
        assert_eq!(found.realm, "https://auth.example.com/token");
        assert_eq!(found.service.as_deref(), Some("registry.example.com"));
        assert_eq!(bearer(r#"Basic realm="x""#), None);
    }
}
