//! Who may come in by a domain.

use crate::error::{Error, Problem};
use crate::platform::http::PatchFields;
use crate::platform::http::patch::present;
use garde::Validate;
use ipnetwork::IpNetwork;
use ocore_shared::protocol::proxy::SiteAccess;
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// The proxy tries it with every request.
const COST: u32 = 10;
const MOST_USERS: usize = 50;
/// bcrypt looks at no more.
const LONGEST_PASSWORD: usize = 72;

/// Who may come in, and what browsers are told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DomainAccess {
    /// Addresses or networks; when there are some, only these.
    pub allow: Vec<String>,
    /// Addresses or networks that never.
    pub deny: Vec<String>,
    /// Whoever is asked for a name and a password before anything is shown.
    pub basic_auth: Vec<BasicUser>,
    /// People are sent on to the primary domain.
    pub redirect_to_primary: bool,
    /// Seconds that browsers keep to HTTPS; null: it is not said.
    pub hsts_seconds: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BasicUser {
    pub username: String,
    /// One is stored; it is never shown.
    pub has_password: bool,
}

impl DomainAccess {
    pub fn new(access: &SiteAccess, redirect_to_primary: bool) -> Self {
        let user = |username: &String| BasicUser { username: username.clone(), has_password: true };
        Self {
            allow: access.allow.clone(),
            deny: access.deny.clone(),
            basic_auth: access.basic_auth.keys().map(user).collect(),
            redirect_to_primary,
            hsts_seconds: access.hsts_seconds,
        }
    }
}

/// What becomes of it; what is left out stays.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessInput {
    /// Addresses or networks: `203.0.113.7`, `2001:db8::/32`. An empty list lets everybody in.
    #[garde(inner(length(max = 200), inner(custom(network))))]
    #[schema(max_items = 200, example = json!(["203.0.113.0/24"]))]
    pub allow: Option<Vec<String>>,
    #[garde(inner(length(max = 200), inner(custom(network))))]
    #[schema(max_items = 200, example = json!(["203.0.113.66"]))]
    pub deny: Option<Vec<String>>,
    /// All of them: whoever is left out is not let in any more.
    #[garde(dive)]
    #[schema(max_items = 50)]
    pub basic_auth: Option<Vec<BasicUserInput>>,
    #[garde(skip)]
    pub redirect_to_primary: Option<bool>,
    /// Null: it is not said.
    #[garde(inner(inner(range(max = 63_072_000))))]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, maximum = 63_072_000)]
    pub hsts_seconds: Option<Option<u32>>,
}

impl PatchFields for AccessInput {
    const FIELDS: &'static [&'static str] = &["allow", "deny", "basic_auth", "redirect_to_primary", "hsts_seconds"];
}

/// Who is let in with a password.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicUserInput {
    #[garde(length(min = 1, max = 64), pattern("^[A-Za-z0-9][A-Za-z0-9._@-]*$"))]
    pub username: String,
    /// 8 to 72 bytes. Left out: the stored one stays.
    #[garde(inner(custom(password_length)))]
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub password: Option<Secret>,
    /// As it was read.
    #[garde(skip)]
    #[serde(default)]
    #[schema(nullable = false)]
    pub has_password: Option<bool>,
}

fn network(text: &str, (): &()) -> garde::Result {
    match text.parse::<IpNetwork>() {
        Ok(_) => Ok(()),
        Err(_) => Err(garde::Error::new("must be an address or a network like 203.0.113.0/24")),
    }
}

fn password_length(password: &Secret, (): &()) -> garde::Result {
    let text = password.expose();
    if (8..=LONGEST_PASSWORD).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(garde::Error::new(format!("must have 8 to {LONGEST_PASSWORD} bytes without control characters")))
}

/// `203.0.113.7` and `203.0.113.0/24`, each in its one form.
fn canonical(networks: Vec<String>) -> Vec<String> {
    let form = |text: String| match text.parse::<IpNetwork>() {
        Ok(network) if text.contains('/') => format!("{}/{}", network.network(), network.prefix()),
        Ok(network) => network.ip().to_string(),
        Err(_) => text,
    };
    networks.into_iter().map(form).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What is wished: the access and whether people are sent on. Hashing takes its time, elsewhere.
pub async fn access_wished(
    present: &SiteAccess, redirect: bool, input: AccessInput,
) -> Result<(SiteAccess, bool), Error> {
    let redirect = input.redirect_to_primary.unwrap_or(redirect);
    let access = SiteAccess {
        allow: input.allow.map_or_else(|| present.allow.clone(), canonical),
        deny: input.deny.map_or_else(|| present.deny.clone(), canonical),
        basic_auth: match input.basic_auth {
            None => present.basic_auth.clone(),
            Some(users) => users_wished(&present.basic_auth, users).await?,
        },
        hsts_seconds: input.hsts_seconds.unwrap_or(present.hsts_seconds),
    };
    Ok((access, redirect))
}

async fn users_wished(
    present: &BTreeMap<String, String>, users: Vec<BasicUserInput>,
) -> Result<BTreeMap<String, String>, Error> {
    if users.len() > MOST_USERS {
        return Err(Error::field("basic_auth", "max_items", format!("At most {MOST_USERS} users are let in by name.")));
    }
    let mut wished = BTreeMap::new();
    let mut problems = Vec::new();
    for (number, user) in users.into_iter().enumerate() {
        let mut say = |field: &str, constraint: &str, message: String| {
            let field = format!("basic_auth[{number}].{field}");
            problems.push(Problem { field, constraint: constraint.into(), message });
        };
        if wished.contains_key(&user.username) {
            say("username", "unique", format!("There are two users named {}; leave one out.", user.username));
            continue;
        }
        let hash = match (user.password, present.get(&user.username)) {
            (Some(password), _) => hash(password).await?,
            (None, Some(stored)) => stored.clone(),
            (None, None) => {
                say("password", "required", format!("Give a password for {}; none is stored.", user.username));
                continue;
            }
        };
        wished.insert(user.username, hash);
    }
    if problems.is_empty() { Ok(wished) } else { Err(Error::Invalid(problems)) }
}

async fn hash(password: Secret) -> Result<String, Error> {
    let hashed = tokio::task::spawn_blocking(move || bcrypt::hash(password.expose(), COST)).await;
    hashed.map_err(Error::internal)?.map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn passwords_are_hashed_and_stay_when_they_are_left_out() {
        let user = |name: &str, password: Option<&str>| BasicUserInput {
            username: name.into(),
            password: password.map(Secret::new),
            has_password: None,
        };
        let first = users_wished(&BTreeMap::new(), vec![user("ada", Some("a quiet door 1"))]).await.unwrap();
        assert!(bcrypt::verify("a quiet door 1", &first["ada"]).unwrap() && first["ada"].starts_with("$2"));
        let second = users_wished(&first, vec![user("ada", None), user("bob", Some("a quiet door 2"))]).await.unwrap();
        assert_eq!((second.len(), &second["ada"]), (2, &first["ada"]));
        for wrong in [vec![user("eve", None)], vec![user("ada", None), user("ada", None)]] {
            assert!(users_wished(&first, wrong).await.is_err());
        }
    }

    #[test]
    fn networks_have_one_form() {
        let networks = ["203.0.113.7/24", "2001:DB8::1", "203.0.113.0/24"].map(str::to_owned).to_vec();
        assert_eq!(canonical(networks), ["2001:db8::1", "203.0.113.0/24"]);
    }
}
