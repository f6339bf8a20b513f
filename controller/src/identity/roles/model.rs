//! What a role is, and where it counts.

use crate::error::{Error, Result};
use crate::platform::http::ctx::Scope;
use crate::platform::http::permissions::SystemRole;
use crate::platform::http::{PermissionSet, Place};
use chrono::{DateTime, Utc};
use garde::Validate;
use ocore_shared::ids::{OrganizationId, RoleId, ServiceAccountId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A role of an organization.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Role {
    pub id: RoleId,
    pub name: String,
    pub description: String,
    /// One of the four that every organization has and nobody edits.
    pub is_system: bool,
    pub permissions: Vec<String>,
    /// How many people hold it, in any scope.
    pub member_count: i64,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The permissions of a stored role. Those of a system role are this version's, whatever was stored when it was made.
pub fn role_permissions(name: &str, is_system: bool, stored: &[String]) -> PermissionSet {
    match SystemRole::ALL.into_iter().find(|role| is_system && role.name() == name) {
        Some(role) => role.permissions(),
        None => PermissionSet::from_keys(stored.iter().map(String::as_str)),
    }
}

/// System roles from the strongest on, then the others.
pub fn role_rank(name: &str, is_system: bool) -> usize {
    SystemRole::ALL.iter().position(|role| is_system && role.name() == name).unwrap_or(SystemRole::ALL.len())
}

/// Where a role or a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopeRef {
    #[serde(rename = "type")]
    pub kind: ScopeKind,
    /// Id of the project, environment or server; null for the organization.
    #[serde(default)]
    pub id: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeKind {
    Organization,
    Project,
    Environment,
    Server,
}

impl ScopeKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Project => "project",
            Self::Environment => "environment",
            Self::Server => "server",
        }
    }
}

impl Default for ScopeRef {
    fn default() -> Self {
        Self { kind: ScopeKind::Organization, id: None }
    }
}

impl ScopeRef {
    /// The stored form; the organization's own id stands for the whole of it.
    pub fn from_row(kind: &str, id: Uuid) -> Self {
        match Scope::from_row(kind, id) {
            Some(Scope::Project(_)) => Self { kind: ScopeKind::Project, id: Some(id) },
            Some(Scope::Environment(_)) => Self { kind: ScopeKind::Environment, id: Some(id) },
            Some(Scope::Server(_)) => Self { kind: ScopeKind::Server, id: Some(id) },
            Some(Scope::Organization) | None => Self::default(),
        }
    }

    /// Whether it has an id where it needs one; the error names `field`.
    pub fn check(self, field: &str) -> Result<()> {
        match (self.kind, self.id) {
            (ScopeKind::Organization, Some(_)) => {
                Err(Error::field(field, "absent", "A scope of type organization takes no id; leave it out."))
            }
            (ScopeKind::Organization, None) | (_, Some(_)) => Ok(()),
            (kind, None) => {
                let word = kind.word();
                Err(Error::field(field, "required", format!("A scope of type {word} needs the id of the {word}.")))
            }
        }
    }

    /// The id that is stored; the organization's own stands for the whole of it.
    pub fn row_id(self, organization: OrganizationId) -> Uuid {
        self.id.unwrap_or(organization.0)
    }

    /// Where that is, given the project of an environment.
    pub fn place(self, project: Option<Uuid>) -> Place {
        match self.kind {
            ScopeKind::Organization => Place::default(),
            ScopeKind::Project => Place { project: self.id, ..Place::default() },
            ScopeKind::Environment => Place { project, environment: self.id, ..Place::default() },
            ScopeKind::Server => Place { server: self.id, ..Place::default() },
        }
    }
}

/// A role in a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    pub role_id: RoleId,
    /// Name of the role.
    pub role: String,
    pub scope: ScopeRef,
}

/// A role in a scope, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WantedGrant {
    pub role: RoleId,
    pub scope: ScopeRef,
}

impl From<&Grant> for WantedGrant {
    fn from(grant: &Grant) -> Self {
        Self { role: grant.role_id, scope: grant.scope }
    }
}

/// A role in a scope, as a request has it.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantInput {
    #[garde(skip)]
    pub role_id: RoleId,
    /// The whole organization when left out.
    #[garde(skip)]
    #[serde(default)]
    pub scope: ScopeRef,
    /// Name of the role, as it was read; the id decides.
    #[garde(skip)]
    #[serde(default)]
    #[schema(read_only)]
    pub role: Option<String>,
}

impl From<&GrantInput> for WantedGrant {
    fn from(grant: &GrantInput) -> Self {
        Self { role: grant.role_id, scope: grant.scope }
    }
}

/// Who holds roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantHolder {
    User(UserId),
    ServiceAccount(ServiceAccountId),
}

impl GrantHolder {
    /// Kind and id, as stored.
    pub fn row(self) -> (&'static str, Uuid) {
        match self {
            Self::User(id) => ("user", id.0),
            Self::ServiceAccount(id) => ("service_account", id.0),
        }
    }
}

/// A role to make, or what it becomes.
pub struct RoleInput {
    pub name: String,
    pub description: String,
    pub permissions: PermissionSet,
}
