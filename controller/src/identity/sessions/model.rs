//! A session and a sign-in as their person sees them.

use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::{LoginId, SessionId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// For so long sign-ins are remembered.
pub const HISTORY: TimeDelta = TimeDelta::days(90);
const DEVICE_LONGEST: usize = 60;

/// Somewhere where one is signed in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Session {
    pub id: SessionId,
    /// The one that asks.
    pub current: bool,
    /// Browser and system, as far as they say, e.g. `Firefox on Linux`.
    pub device: String,
    pub user_agent: String,
    /// How it began: `password`, `passkey`…
    pub method: String,
    /// It began with more than one factor.
    pub second_factor: bool,
    /// Where it was used last.
    pub address: Option<String>,
    pub last_used_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    /// When it ends without use.
    pub expires_at: DateTime<Utc>,
}

/// A sign-in, or an attempt at one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Login {
    pub id: LoginId,
    pub method: String,
    pub succeeded: bool,
    /// Why it was refused, e.g. `wrong_password`.
    pub reason: Option<String>,
    pub address: Option<String>,
    pub device: String,
    pub user_agent: String,
    pub created_at: DateTime<Utc>,
}

/// What a `User-Agent` says in a few words; programs are named by their own first word.
pub fn device_of(user_agent: &str) -> String {
    // Who pretends to be others comes first: each browser names those whose pages it shows.
    const BROWSERS: [(&str, &str); 8] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    let find = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => {
            let word: String =
                user_agent.split([' ', '/']).next().unwrap_or_default().chars().take(DEVICE_LONGEST).collect();
            if word.is_empty() { "Unknown".into() } else { word }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_by_what_they_say() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        assert_eq!(device_of(chrome), "Chrome on Linux");
        assert_eq!(device_of(&chrome.replace("Safari/537.36", "Safari/537.36 Edg/140.0")), "Edge on Linux");
        assert_eq!(
            device_of(
                "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 Version/19.0 Safari/604.1"
            ),
            "Safari on iPhone"
        );
        assert_eq!(
            device_of("Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"),
            "Firefox on Windows"
        );
        assert_eq!(device_of("curl/8.15.0"), "curl");
        assert_eq!(device_of(""), "Unknown");
    }
}
