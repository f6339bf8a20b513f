//! What a handler receives of the caller: who, which organization, which permissions in which scope.

use crate::error::{Error, Result};
use crate::platform::http::guard::{Guarded, Identified, Requirement};
use crate::platform::http::permissions::{Permission, PermissionSet};
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header;
use axum::http::request::Parts;
use ocore_shared::ids::{ApiKeyId, OrganizationId, SessionId, UserId};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// Who did something, as events and audit show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Actor {
    /// `user`, `api_key`, `system`.
    #[serde(rename = "type")]
    pub kind: String,
    pub id: Uuid,
    pub name: String,
}

impl Actor {
    /// The controller itself.
    pub fn system() -> Self {
        Self { kind: "system".into(), id: Uuid::nil(), name: "oCore".into() }
    }
}

/// What kind of credential was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    Person { user: UserId, session: SessionId, is_admin: bool },
    Key { key: ApiKeyId, user: Option<UserId> },
}

/// An authenticated caller, before any organization.
#[derive(Clone, Debug)]
pub struct Caller {
    pub principal: Principal,
    pub actor: Actor,
    pub request_id: String,
    pub address: Option<IpAddr>,
    /// What the client calls itself, where it is known.
    pub user_agent: Option<String>,
    /// Its claim on the Idempotency-Key, where the request has one: work that it enqueues is written down under it.
    pub idempotency_claim: Option<Uuid>,
}

impl Caller {
    /// Somebody with a shell on the controller's host.
    pub fn host() -> Self {
        Self {
            principal: Principal::Person {
                user: UserId(Uuid::nil()),
                session: SessionId(Uuid::nil()),
                is_admin: false,
            },
            actor: Actor::system(),
            request_id: "host".into(),
            address: None,
            user_agent: None,
            idempotency_claim: None,
        }
    }

    /// The signed-in person; keys are refused.
    pub fn person(&self) -> Result<(UserId, SessionId)> {
        match self.principal {
            Principal::Person { user, session, .. } => Ok((user, session)),
            Principal::Key { .. } => {
                Err(Error::forbidden("person_required", "Only a signed-in person may do this, not an API key."))
            }
        }
    }

    /// Id that requests are counted under.
    pub fn id(&self) -> Uuid {
        match self.principal {
            Principal::Person { user, .. } => user.0,
            Principal::Key { key, .. } => key.0,
        }
    }
}

/// Where a role or a key applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    Organization,
    Project(Uuid),
    Environment(Uuid),
    Server(Uuid),
}

impl Scope {
    /// From its stored form.
    pub fn from_row(kind: &str, id: Uuid) -> Option<Self> {
        match kind {
            "organization" => Some(Self::Organization),
            "project" => Some(Self::Project(id)),
            "environment" => Some(Self::Environment(id)),
            "server" => Some(Self::Server(id)),
            _ => None,
        }
    }
}

/// Where an object is, to be compared with scopes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    pub project: Option<Uuid>,
    pub environment: Option<Uuid>,
    pub server: Option<Uuid>,
}

impl Place {
    fn is_in(&self, scope: Scope) -> bool {
        match scope {
            Scope::Organization => true,
            Scope::Project(id) => self.project == Some(id),
            Scope::Environment(id) => self.environment == Some(id),
            Scope::Server(id) => self.server == Some(id),
        }
    }
}

/// Everything that a caller may do in one organization.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub grants: Vec<(Scope, PermissionSet)>,
    /// Holds the organization's owner role themself; no key ever does.
    pub is_owner: bool,
}

impl Access {
    /// Permissions in the whole organization.
    pub fn everywhere(&self) -> PermissionSet {
        self.union_where(|scope| scope == Scope::Organization)
    }

    /// Permissions in any scope at all.
    pub fn anywhere(&self) -> PermissionSet {
        self.union_where(|_| true)
    }

    /// Permissions at a place, from every scope that it lies in.
    pub fn at(&self, place: &Place) -> PermissionSet {
        self.union_where(|scope| place.is_in(scope))
    }

    /// Whether it has all that the other has, in each of its scopes or in the whole organization.
    pub fn covers(&self, other: &Self) -> bool {
        other.grants.iter().all(|(scope, set)| {
            let own = self.union_where(|held| held == Scope::Organization || held == *scope);
            set.is_subset_of(own)
        })
    }

    /// Whether it is the same, in whatever order it was read.
    pub fn is_same(&self, other: &Self) -> bool {
        let within = |a: &Self, b: &Self| a.grants.iter().all(|grant| b.grants.contains(grant));
        self.is_owner == other.is_owner && within(self, other) && within(other, self)
    }

    fn union_where(&self, keep: impl Fn(Scope) -> bool) -> PermissionSet {
        self.grants.iter().filter(|(s, _)| keep(*s)).fold(PermissionSet::default(), |sum, (_, set)| sum.union(*set))
    }
}

/// In which scopes a permission holds: the argument of every list query.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    pub all: bool,
    pub projects: Vec<Uuid>,
    pub environments: Vec<Uuid>,
    pub servers: Vec<Uuid>,
}

/// A caller in an organization, on a route whose permission was checked.
#[derive(Clone, Debug)]
pub struct Ctx {
    pub caller: Arc<Caller>,
    pub organization: OrganizationId,
    pub access: Arc<Access>,
    /// The permission that the route declares.
    pub permission: Permission,
}

impl Ctx {
    pub fn actor(&self) -> &Actor {
        &self.caller.actor
    }

    /// Whether the permission holds at that place.
    pub fn allows(&self, permission: Permission, place: &Place) -> bool {
        self.access.grants.iter().any(|(scope, set)| set.contains(permission) && place.is_in(*scope))
    }

    /// The route's permission must hold at that place; what lies outside is "not found".
    pub fn require(&self, what: &'static str, place: &Place) -> Result<()> {
        if self.allows(self.permission, place) { Ok(()) } else { Err(Error::NotFound(what)) }
    }

    /// The route's permission must hold in the whole organization.
    pub fn require_everywhere(&self) -> Result<()> {
        if self.access.everywhere().contains(self.permission) {
            return Ok(());
        }
        Err(Error::forbidden(
            "permission_denied",
            format!("This needs {} in the whole organization.", self.permission.key()),
        ))
    }

    /// Nobody gives what they do not hold at that place.
    pub fn require_held(&self, given: PermissionSet, place: &Place) -> Result<()> {
        let lacking: Vec<_> = given.iter().filter(|p| !self.allows(*p, place)).map(Permission::key).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        Err(Error::forbidden(
            "broader_than_yourself",
            format!("Nobody gives more than they hold: you do not have {} there.", lacking.join(", ")),
        ))
    }

    /// Where the route's permission holds.
    pub fn reach(&self) -> Reach {
        self.reach_of(self.permission)
    }

    pub fn reach_of(&self, permission: Permission) -> Reach {
        let mut reach = Reach::default();
        for (scope, _) in self.access.grants.iter().filter(|(_, set)| set.contains(permission)) {
            match scope {
                Scope::Organization => reach.all = true,
                Scope::Project(id) => reach.projects.push(*id),
                Scope::Environment(id) => reach.environments.push(*id),
                Scope::Server(id) => reach.servers.push(*id),
            }
        }
        reach
    }
}

fn undeclared() -> Error {
    Error::internal(anyhow::anyhow!("this route was added without guard(), user(), admin() or public()"))
}

impl<S: Send + Sync> FromRequestParts<S> for Ctx {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let permission = match parts.extensions.get::<Guarded>() {
            Some(Guarded(Requirement::Permission(permission))) => *permission,
            // Inside an organization the platform's administrator has to be one who may manage it, too.
            Some(Guarded(Requirement::Owner | Requirement::Admin)) => Permission::ManageOrg,
            _ => return Err(undeclared()),
        };
        let identified = parts.extensions.get::<Identified>().ok_or_else(undeclared)?;
        let caller = identified.caller.clone().map_err(Error::from)?;
        let (organization, access) = identified.organization.clone().map_err(Error::from)?;
        Ok(Self { caller, organization, access, permission })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        parts.extensions.get::<Guarded>().ok_or_else(undeclared)?;
        let identified = parts.extensions.get::<Identified>().ok_or_else(undeclared)?;
        identified.caller.clone().map(|caller| (*caller).clone()).map_err(Error::from)
    }
}

/// The version that `If-Match` asks for, if any.
#[derive(Clone, Copy, Debug, Default)]
pub struct IfMatch(pub Option<i64>);

impl IfMatch {
    /// Refuse the change when somebody else was faster.
    pub fn check(self, version: i64) -> Result<()> {
        match self.0 {
            Some(wanted) if wanted != version => Err(Error::PreconditionFailed {
                message: format!("The object has changed meanwhile (version {version}); read it again, then retry."),
            }),
            _ => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default().trim().trim_start_matches("W/").trim_matches('"');
        if text == "*" {
            return Ok(Self(None));
        }
        text.parse().map(|v| Self(Some(v))).map_err(|_| {
            Error::field("If-Match", "etag", "If-Match takes the ETag that the object was read with, e.g. \"3\".")
        })
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        let identified = parts.extensions.get::<Identified>();
        Ok(identified.and_then(|i| i.caller.as_ref().ok()).map(|caller| (**caller).clone()))
    }
}
