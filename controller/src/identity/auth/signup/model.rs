//! Who wants an account.

use chrono::TimeDelta;
use ocore_shared::ids::OrganizationId;
use ocore_shared::secret::Secret;

/// For so long an address can be confirmed.
pub const LIFE: TimeDelta = TimeDelta::hours(24);
const OWN_ORGANIZATION_LONGEST: usize = 80;

/// What is asked for.
pub struct NewSignup {
    pub email: String,
    pub name: String,
    pub password: Secret,
    pub organization_name: Option<String>,
    /// Token of an invitation's link.
    pub invitation: Option<Secret>,
}

/// What came of it.
pub struct SignedUp {
    /// A mail with a link is on its way; until it is used there is no account.
    pub verification_required: bool,
    /// Joined by the invitation.
    pub organization: Option<OrganizationId>,
}

/// An account that is made now.
pub struct NewAccount<'a> {
    pub email: &'a str,
    pub name: &'a str,
    /// None for who signs in by other means.
    pub password_hash: Option<&'a str>,
    /// An organization of their own; None for who joins one.
    pub organization_name: Option<String>,
}

/// The name of somebody's own organization.
pub fn own_organization(name: &str, wanted: Option<&str>) -> String {
    match wanted {
        Some(wanted) => wanted.to_owned(),
        None => format!("{}'s organization", name.chars().take(OWN_ORGANIZATION_LONGEST).collect::<String>().trim()),
    }
}
