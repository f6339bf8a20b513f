//! The conversation with a provider: where to send the browser, and whom its code stands for.

use super::model::Identity;
use crate::business::settings::model::{OAuthKind, OAuthProvider};
use chrono::{DateTime, Utc};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreUserInfoClaims,
};
use openidconnect::{
    AccessTokenHash, AsyncHttpClient, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, TokenResponse,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::pin::Pin;
use std::time::Duration;

const GOOGLE: &str = "https://accounts.google.com";
const GITHUB: &str = "https://github.com";
const GITHUB_API: &str = "https://api.github.com";
const PATIENCE: Duration = Duration::from_secs(10);
/// No answer of a provider that we need is larger.
const LARGEST: usize = 1024 * 1024;
const LONGEST_SUBJECT: usize = 255;

/// Why a provider is of no help. The text is for the log and holds no secrets.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("its answer is refused: {0}")]
    Refused(String),
}

type Result<T> = std::result::Result<T, ProviderError>;

fn unreachable(error: impl std::fmt::Display) -> ProviderError {
    ProviderError::Unreachable(error.to_string())
}

fn refused(error: impl std::fmt::Display) -> ProviderError {
    ProviderError::Refused(error.to_string())
}

/// A way to the provider, and what must be remembered until the browser comes back.
pub struct Departure {
    pub url: String,
    pub nonce: String,
    pub verifier: String,
}

/// What came back, and what was remembered.
pub struct Return<'a> {
    pub code: &'a str,
    pub nonce: &'a str,
    pub verifier: &'a str,
    pub redirect_uri: &'a str,
    /// Who says that it was them (RFC 9207), where it is said.
    pub issuer: Option<&'a str>,
    pub now: DateTime<Utc>,
}

/// Where to send the browser.
pub async fn depart(provider: &OAuthProvider, redirect_uri: &str, state: &str) -> Result<Departure> {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let nonce = Nonce::new_random();
    let url = match provider.kind {
        OAuthKind::Github => {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("client_id", &provider.client_id)
                .append_pair("redirect_uri", redirect_uri)
                .append_pair("response_type", "code")
                .append_pair("scope", "read:user user:email")
                .append_pair("state", state)
                .append_pair("code_challenge", challenge.as_str())
                .append_pair("code_challenge_method", "S256")
                .finish();
            format!("{}/login/oauth/authorize?{query}", github(provider))
        }
        OAuthKind::Google | OAuthKind::Oidc => {
            let http = Http::new()?;
            let client = discovered(provider, redirect_uri, &http).await?;
            let (state, nonce) = (state.to_owned(), nonce.clone());
            let request = client
                .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || CsrfToken::new(state), move || nonce)
                .add_scopes(["email", "profile"].map(|scope| Scope::new(scope.to_owned())))
                .set_pkce_challenge(challenge);
            request.url().0.to_string()
        }
    };
    Ok(Departure { url, nonce: nonce.secret().clone(), verifier: verifier.secret().clone() })
}

/// Whom the code stands for.
pub async fn identity(provider: &OAuthProvider, back: &Return<'_>) -> Result<Identity> {
    let identity = match provider.kind {
        OAuthKind::Github => github_identity(provider, back).await?,
        OAuthKind::Google | OAuthKind::Oidc => oidc_identity(provider, back).await?,
    };
    if identity.subject.is_empty() || identity.subject.len() > LONGEST_SUBJECT {
        return Err(refused("the subject is empty or too long"));
    }
    Ok(identity)
}

type Discovered =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

async fn discovered(provider: &OAuthProvider, redirect_uri: &str, http: &Http) -> Result<Discovered> {
    let issuer = provider.issuer.as_deref().unwrap_or(GOOGLE);
    let issuer = IssuerUrl::new(issuer.to_owned()).map_err(refused)?;
    let metadata = CoreProviderMetadata::discover_async(issuer, http).await.map_err(unreachable)?;
    let methods = metadata.token_endpoint_auth_methods_supported();
    let basic = methods.is_none_or(|list| {
        list.contains(&CoreClientAuthMethod::ClientSecretBasic)
            || !list.contains(&CoreClientAuthMethod::ClientSecretPost)
    });
    let secret = ClientSecret::new(provider.client_secret.expose().to_owned());
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(provider.client_id.clone()), Some(secret))
        .set_auth_type(if basic { AuthType::BasicAuth } else { AuthType::RequestBody })
        .set_redirect_uri(RedirectUrl::new(redirect_uri.to_owned()).map_err(refused)?);
    Ok(client)
}

async fn oidc_identity(provider: &OAuthProvider, back: &Return<'_>) -> Result<Identity> {
    let expected = provider.issuer.as_deref().unwrap_or(GOOGLE);
    if back.issuer.is_some_and(|issuer| issuer != expected) {
        return Err(refused("another issuer has answered"));
    }
    let http = Http::new()?;
    let client = discovered(provider, back.redirect_uri, &http).await?;
    let tokens = client
        .exchange_code(AuthorizationCode::new(back.code.to_owned()))
        .map_err(refused)?
        .set_pkce_verifier(PkceCodeVerifier::new(back.verifier.to_owned()))
        .request_async(&http)
        .await
        .map_err(refused)?;
    let token = tokens.id_token().ok_or_else(|| refused("there is no ID token"))?;
    let now = back.now;
    // Signed by the issuer's own key: a token under our shared secret could be made by whoever knows that.
    let verifier = client.id_token_verifier().set_time_fn(move || now).set_allowed_algs([
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
        CoreJwsSigningAlgorithm::RsaSsaPssSha256,
        CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        CoreJwsSigningAlgorithm::EcdsaP384Sha384,
        CoreJwsSigningAlgorithm::EdDsa,
    ]);
    let claims = token.claims(&verifier, &Nonce::new(back.nonce.to_owned())).map_err(refused)?;
    if let Some(expected) = claims.access_token_hash() {
        let (algorithm, key) = (token.signing_alg().map_err(refused)?, token.signing_key(&verifier).map_err(refused)?);
        let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).map_err(refused)?;
        if actual != *expected {
            return Err(refused("the access token is another one"));
        }
    }
    let subject = claims.subject().to_string();
    let said = |localized: Option<&openidconnect::LocalizedClaim<openidconnect::EndUserName>>| {
        localized.and_then(|names| names.get(None)).map(|name| name.as_str().to_owned())
    };
    let verified = |email: Option<&openidconnect::EndUserEmail>, verified: Option<bool>| {
        email.filter(|_| verified == Some(true)).map(|email| email.as_str().to_owned())
    };
    let mut found = Identity {
        issuer: expected.to_owned(),
        subject,
        email: verified(claims.email(), claims.email_verified()),
        name: said(claims.name()),
    };
    // Some say the address only where they are asked for it.
    if claims.email().is_none()
        && let Ok(request) = client.user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
    {
        let more: CoreUserInfoClaims = request.request_async(&http).await.map_err(refused)?;
        found.email = verified(more.email(), more.email_verified());
        found.name = found.name.or_else(|| said(more.name()));
    }
    Ok(found)
}

fn github(provider: &OAuthProvider) -> &str {
    provider.issuer.as_deref().unwrap_or(GITHUB).trim_end_matches('/')
}

async fn github_identity(provider: &OAuthProvider, back: &Return<'_>) -> Result<Identity> {
    #[derive(Deserialize)]
    struct Tokens {
        access_token: Option<String>,
        error: Option<String>,
    }
    #[derive(Deserialize)]
    struct User {
        id: u64,
        login: String,
        name: Option<String>,
    }
    #[derive(Deserialize)]
    struct Email {
        email: String,
        primary: bool,
        verified: bool,
    }
    let http = Http::new()?;
    let form = [
        ("client_id", provider.client_id.as_str()),
        ("client_secret", provider.client_secret.expose()),
        ("code", back.code),
        ("redirect_uri", back.redirect_uri),
        ("code_verifier", back.verifier),
    ];
    let request = http.0.post(format!("{}/login/oauth/access_token", github(provider))).form(&form);
    let tokens: Tokens = http.json(request).await?;
    let token = tokens
        .access_token
        .ok_or_else(|| refused(format!("there is no access token ({})", tokens.error.unwrap_or_default())))?;
    let api = match &provider.issuer {
        Some(_) => format!("{}/api/v3", github(provider)),
        None => GITHUB_API.to_owned(),
    };
    let get = |path: &str| http.0.get(format!("{api}{path}")).bearer_auth(&token);
    let user: User = http.json(get("/user")).await?;
    let emails: Vec<Email> = http.json(get("/user/emails")).await?;
    let email = emails.into_iter().find(|email| email.primary && email.verified).map(|email| email.email);
    let issuer = github(provider).to_owned();
    Ok(Identity { issuer, subject: user.id.to_string(), email, name: user.name.or(Some(user.login)) })
}

/// Requests to providers: bounded in time and size, and never redirected. Their addresses are the administrator's own
/// choice, so that those of the company's network are allowed.
struct Http(reqwest::Client);

/// What went wrong underneath.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct HttpError(String);

impl Http {
    fn new() -> Result<Self> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .connect_timeout(PATIENCE / 2)
            .user_agent(concat!("ocore/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(unreachable)?;
        Ok(Self(client))
    }

    async fn bounded(
        mut response: reqwest::Response,
    ) -> std::result::Result<(http::StatusCode, http::HeaderMap, Vec<u8>), HttpError> {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(told)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(HttpError(format!("the answer is larger than {LARGEST} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, headers, body))
    }

    async fn json<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T> {
        let request = request.header(http::header::ACCEPT, "application/json");
        let response = request.send().await.map_err(|error| unreachable(told(error)))?;
        let (status, _, body) = Self::bounded(response).await.map_err(unreachable)?;
        if !status.is_success() {
            return Err(refused(format!("it answers {status}")));
        }
        // The text of such an error may quote a token.
        serde_json::from_slice(&body)
            .map_err(|error| refused(format!("it cannot be read at column {}", error.column())))
    }
}

/// Without the address, whose query may hold a code.
fn told(error: reqwest::Error) -> HttpError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    HttpError(text)
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request).map_err(told)?;
            let response = self.0.execute(request).await.map_err(told)?;
            let (status, headers, body) = Self::bounded(response).await?;
            let mut response = HttpResponse::new(body);
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        })
    }
}
