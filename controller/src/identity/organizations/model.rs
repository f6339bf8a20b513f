//! What an organization is, and how its slug is made.

use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::OrganizationId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub const SLUG_SHORTEST: usize = 3;
pub const SLUG_LONGEST: usize = 50;
/// Room for `-` and a number behind a derived slug.
const DERIVED_LONGEST: usize = 44;

/// An organization.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Organization {
    pub id: OrganizationId,
    pub name: String,
    /// Its name in addresses and in the header X-Org-Slug.
    pub slug: String,
    /// Picture that the console shows beside the name.
    pub logo_url: Option<String>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What is asked for.
pub struct NewOrganization {
    pub name: String,
    /// Derived from the name when left out.
    pub slug: Option<String>,
}

/// What an organization becomes; what is None stays.
pub struct OrganizationChange {
    pub name: Option<String>,
    pub slug: Option<String>,
    /// `Some(None)` takes it away.
    pub logo_url: Option<Option<String>>,
}

/// For so long a former slug still finds its organization.
pub const FORMER_SLUG_LIFE: TimeDelta = TimeDelta::days(90);

/// What holds for everybody in the organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrganizationSettings {
    /// Days that audit entries are kept, 30 to 3650.
    pub audit_retention_days: i32,
    /// Only who signs in with a second factor is let in.
    pub require_second_factor: bool,
    pub version: i64,
}

/// What keeps an organization from being deleted.
pub struct Remains {
    pub servers: Vec<String>,
    pub instances: Vec<String>,
}

impl Remains {
    /// A sentence, or None when nothing remains.
    pub fn told(&self) -> Option<String> {
        let named = |what: &str, names: &[String]| {
            let shown: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
            let more = names.len().saturating_sub(shown.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{what} {}{more}", shown.join(", "))
        };
        let parts: Vec<String> = [("the servers", &self.servers), ("the instances", &self.instances)]
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| named(what, names))
            .collect();
        (!parts.is_empty()).then(|| format!("Remove {} first; they would be left with nobody.", parts.join(" and ")))
    }
}

/// Whether the text may be a slug.
pub fn slug_check(slug: &str) -> Result<()> {
    let shape = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let well_formed = (SLUG_SHORTEST..=SLUG_LONGEST).contains(&slug.len())
        && slug.bytes().all(|b| shape(b) || b == b'-')
        && slug.bytes().next().is_some_and(shape)
        && slug.bytes().last().is_some_and(shape);
    if !well_formed {
        let message = "A slug has 3 to 50 lower-case letters, digits and hyphens, no hyphen first or last.";
        return Err(Error::field("slug", "pattern", message));
    }
    if Uuid::parse_str(slug).is_ok() {
        return Err(Error::field("slug", "pattern", "A slug must not look like an id."));
    }
    Ok(())
}

/// A slug from a name.
pub fn slug_derive(name: &str) -> String {
    let mut slug = String::new();
    for character in name.to_lowercase().chars() {
        if slug.len() == DERIVED_LONGEST {
            break;
        }
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.len() < SLUG_SHORTEST || Uuid::parse_str(slug).is_ok() {
        return format!("org-{slug}").trim_end_matches('-').to_owned();
    }
    slug.to_owned()
}

/// The derived slug itself, then with growing numbers, until one is free.
pub fn slug_candidates(name: &str) -> impl Iterator<Item = String> {
    let base = slug_derive(name);
    let numbered = base.clone();
    std::iter::once(base).chain((2..10_000).map(move |number| format!("{numbered}-{number}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_slugs_are_slugs() {
        let long = "x".repeat(100);
        for name in ["ACME GmbH & Co. KG", "Ö", "42", "--", "日本", &long, "0190f5e2-7cc0-7a3c-9d3e-5d8b3b0e9c11"] {
            let slug = slug_derive(name);
            assert!(slug_check(&slug).is_ok(), "{name}: {slug}");
        }
        assert_eq!(slug_derive("ACME GmbH & Co. KG"), "acme-gmbh-co-kg");
        assert_eq!(slug_candidates("ACME").nth(1).unwrap(), "acme-2");
        for wrong in ["ab", "-abc", "abc-", "aBc", "a_c", "0190f5e2-7cc0-7a3c-9d3e-5d8b3b0e9c11"] {
            assert!(slug_check(wrong).is_err(), "{wrong}");
        }
    }
}
