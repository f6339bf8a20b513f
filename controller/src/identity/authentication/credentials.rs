//! Which credential a request shows. A header wins over a ticket, a ticket over a cookie; one that cannot be read does
//! not fall through to the next.

use crate::identity::api_keys::model::is_key;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum_extra::extract::CookieJar;

const API_KEY_HEADER: &str = "x-api-key";
const ORGANIZATION_HEADER: &str = "x-org-slug";

#[derive(Debug, PartialEq, Eq)]
pub enum Credential {
    None,
    /// Shown, but it is nothing that we know.
    Unreadable,
    Access(String),
    Key(String),
    Ticket(String),
    Cookie(String),
}

/// The one credential that counts.
pub fn read(parts: &Parts, https: bool) -> Credential {
    if parts.headers.contains_key(header::AUTHORIZATION) {
        return single(&parts.headers, header::AUTHORIZATION.as_str()).map_or(Credential::Unreadable, authorization);
    }
    if parts.headers.contains_key(API_KEY_HEADER) {
        return single(&parts.headers, API_KEY_HEADER)
            .map_or(Credential::Unreadable, |key| Credential::Key(key.trim().to_owned()));
    }
    if is_websocket(parts)
        && let Some(ticket) = query(parts, "ticket")
    {
        return Credential::Ticket(ticket);
    }
    let jar = CookieJar::from_headers(&parts.headers);
    match jar.get(super::client::session_cookie(https)) {
        Some(cookie) => Credential::Cookie(cookie.value().to_owned()),
        None => Credential::None,
    }
}

/// Two of the same header are ambiguous.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

fn authorization(value: &str) -> Credential {
    let Some((scheme, credential)) = value.trim().split_once(' ') else { return Credential::Unreadable };
    let credential = credential.trim().to_owned();
    match scheme.to_ascii_lowercase().as_str() {
        _ if credential.is_empty() => Credential::Unreadable,
        "bearer" if is_key(&credential) => Credential::Key(credential),
        "bearer" => Credential::Access(credential),
        "apikey" => Credential::Key(credential),
        _ => Credential::Unreadable,
    }
}

/// Whether the request asks to become a WebSocket.
pub fn is_websocket(parts: &Parts) -> bool {
    let upgrade = parts.headers.get(header::UPGRADE).and_then(|v| v.to_str().ok());
    parts.method == Method::CONNECT || upgrade.is_some_and(|v| v.eq_ignore_ascii_case("websocket"))
}

/// The organization that the request names: by header, or by query where a browser can send no header.
pub fn organization(parts: &Parts) -> Option<String> {
    match parts.headers.get(ORGANIZATION_HEADER) {
        // What is no text matches no organization.
        Some(value) => Some(value.to_str().unwrap_or("?").trim().to_owned()),
        None => query(parts, "org").filter(|text| !text.is_empty()),
    }
}

fn query(parts: &Parts, name: &str) -> Option<String> {
    let query = parts.uri.query()?;
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::api_keys::model::{KEY_PREFIXES, key_make};
    use axum::http::Request;

    fn credential(uri: &str, headers: &[(&str, &str)]) -> Credential {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(&request.body(()).unwrap().into_parts().0, false)
    }

    #[test]
    fn a_key_is_taken_in_every_documented_form() {
        for prefix in KEY_PREFIXES {
            let key = key_make(prefix).expose().to_owned();
            let expected = Credential::Key(key.clone());
            for (name, value) in [
                ("authorization", format!("Bearer {key}")),
                ("authorization", format!("apikey {key}")),
                ("Authorization", format!("APIKEY {key}")),
                ("X-API-KEY", key.clone()),
            ] {
                assert_eq!(credential("/api/servers", &[(name, &value)]), expected, "{name}: {value}");
            }
        }
    }

    #[test]
    fn a_header_wins_and_a_bad_one_does_not_fall_through() {
        let cookie = ("cookie", "ocore_session=from-cookie");
        assert_eq!(credential("/", &[cookie]), Credential::Cookie("from-cookie".into()));
        assert_eq!(credential("/", &[cookie, ("authorization", "Bearer t")]), Credential::Access("t".into()));
        for bad in ["Basic dXNlcjpwdw==", "Bearer", "Bearer  ", "t"] {
            assert_eq!(credential("/", &[cookie, ("authorization", bad)]), Credential::Unreadable, "{bad}");
        }
        let twice = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
        assert_eq!(credential("/", &twice), Credential::Unreadable);
        assert_eq!(credential("/", &[("x-agent-token", "anything")]), Credential::None);
    }

    #[test]
    fn a_ticket_counts_only_where_a_websocket_is_asked_for() {
        let upgrade = ("upgrade", "websocket");
        assert_eq!(credential("/api/x?ticket=abc", &[upgrade]), Credential::Ticket("abc".into()));
        assert_eq!(credential("/api/x?ticket=abc", &[]), Credential::None);
    }
}
