//! What a project is.

use crate::delivery::environments::model::EnvironmentType;
use chrono::{DateTime, Utc};
use ocore_shared::ids::ProjectId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A project.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
    pub slug: String,
    pub description: String,
    /// What its new instances run unless they say otherwise; null: the newest that oCore recommends.
    pub odoo_version: Option<String>,
    pub environments_count: i64,
    pub instances_count: i64,
    /// Put away since then: not in lists, and nothing new is made in it.
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A project to make.
pub struct NewProject {
    pub name: String,
    pub description: String,
    pub odoo_version: Option<String>,
    /// It starts with one of each of these.
    pub environments: Vec<EnvironmentType>,
}

/// What a project becomes.
pub struct ProjectInput {
    pub name: String,
    pub description: String,
    pub odoo_version: Option<String>,
    pub archived: bool,
}
