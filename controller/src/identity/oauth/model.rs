//! Connected accounts, and what is remembered between going to a provider and coming back.

use crate::business::settings::model::{OAuthKind, SignupMode};
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::ConnectedAccountId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// For so long somebody may take at the provider.
pub const FLOW_LIFE: TimeDelta = TimeDelta::minutes(10);
const LONGEST_RETURN: usize = 512;

/// An account elsewhere that signs in here.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConnectedAccount {
    pub id: ConnectedAccountId,
    /// Id of the provider, e.g. `github`.
    pub provider: String,
    /// Its name, as the sign-in page shows it; the id where the provider is switched off now.
    pub provider_name: String,
    pub email: Option<String>,
    pub name: Option<String>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// What the sign-in page shows.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SignInWays {
    /// Whether people may make accounts for themselves.
    pub signup: SignupMode,
    pub providers: Vec<SignInProvider>,
}

/// Somebody who vouches for people: a button that leads to `/api/auth/oauth/{id}`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SignInProvider {
    pub id: String,
    pub kind: OAuthKind,
    pub name: String,
}

/// What a person wants of the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// Sign in, or sign up.
    #[default]
    Login,
    /// Connect the account to the one that is signed in here.
    Link,
}

/// What is remembered until the browser comes back.
#[derive(Serialize, Deserialize)]
pub struct Pending {
    pub provider: String,
    pub flow: Flow,
    /// Hash of what the browser holds in its cookie.
    pub browser: Vec<u8>,
    pub nonce: String,
    pub verifier: String,
    pub redirect_uri: String,
    pub return_to: String,
}

/// Whom a provider vouches for.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who names the subject.
    pub issuer: String,
    pub subject: String,
    /// Only where the provider has verified it.
    pub email: Option<String>,
    pub name: Option<String>,
}

/// Why it came to nothing: the word that the console gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The state is unknown, too old, used, or another browser's.
    StateInvalid,
    /// The person said no at the provider.
    Denied,
    ProviderUnreachable,
    /// The provider's answer cannot be trusted.
    ProviderRefused,
    EmailUnverified,
    /// There is an account with this address: sign in to it, then connect.
    AccountExists,
    AccountClosed,
    SignupClosed,
    /// It is connected to another person here.
    LinkedElsewhere,
    /// This person has another account of this provider connected.
    LinkedAlready,
    SessionEnded,
    SecondFactorRequired,
}

impl Failure {
    pub fn word(self) -> &'static str {
        match self {
            Self::StateInvalid => "state_invalid",
            Self::Denied => "denied",
            Self::ProviderUnreachable => "provider_unreachable",
            Self::ProviderRefused => "provider_refused",
            Self::EmailUnverified => "email_unverified",
            Self::AccountExists => "account_exists",
            Self::AccountClosed => "account_closed",
            Self::SignupClosed => "signup_closed",
            Self::LinkedElsewhere => "linked_elsewhere",
            Self::LinkedAlready => "linked_already",
            Self::SessionEnded => "session_ended",
            Self::SecondFactorRequired => "second_factor_required",
        }
    }
}

/// Whether a path is one of this console: nothing that a browser could take for another site.
pub fn return_is_local(path: &str) -> bool {
    path.starts_with('/')
        && !path[1..].starts_with(['/', '\\'])
        && path.len() <= LONGEST_RETURN
        && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

/// The path with one more parameter, before its fragment.
pub fn with_parameter(path: &str, name: &str, value: &str) -> String {
    let (path, fragment) = path.split_once('#').map_or((path, None), |(path, fragment)| (path, Some(fragment)));
    let sign = if path.contains('?') { '&' } else { '?' };
    let pair = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    format!("{path}{sign}{pair}{fragment}")
}

/// A name that can be shown, from what a provider says.
pub fn name_of(identity: &Identity, email: &str) -> String {
    let clean = |text: &str| -> String {
        let text: String = text
            .chars()
            .filter(|c| crate::platform::http::names::name_check(c.to_string(), &()).is_ok() || *c == ' ')
            .collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(100).collect()
    };
    let name = identity.name.as_deref().map(clean).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { clean(email.split('@').next().unwrap_or(email)) } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for good in ["/", "/account?tab=security", "/servers/1#top"] {
            assert!(return_is_local(good), "{good}");
        }
        for bad in
            ["", "account", "//evil.test", "/\\evil.test", "https://evil.test", "/a\nb", "/a b", "/\u{e4}", "/x\\y"]
        {
            assert!(!return_is_local(bad), "{bad:?}");
        }
        assert!(!return_is_local(&format!("/{}", "a".repeat(600))));
        assert_eq!(with_parameter("/a?b=1#c", "error", "x&y"), "/a?b=1&error=x%26y#c");
        assert_eq!(with_parameter("/a", "error", "x"), "/a?error=x");
    }

    #[test]
    fn names_of_strangers_are_cleaned() {
        let name = |name: Option<&str>| {
            name_of(
                &Identity { issuer: String::new(), subject: "1".into(), email: None, name: name.map(Into::into) },
                "ada@example.com",
            )
        };
        assert_eq!(name(Some(" Ada\u{202E}  L.\n")), "Ada L.");
        assert_eq!(name(Some("\u{200B}")), "ada");
        assert_eq!(name(None), "ada");
        assert_eq!(name(Some(&"x".repeat(300))).len(), 100);
    }
}
