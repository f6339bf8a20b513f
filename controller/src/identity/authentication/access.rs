//! What a principal holds in an organization, and what a key leaves of it.

use super::store::{HoldingRows, KeyRow};
use crate::identity::roles::model::role_permissions;
use crate::platform::http::ctx::{Access, Scope};
use crate::platform::http::permissions::SystemRole;
use crate::platform::http::{Permission, PermissionSet};
use std::sync::Arc;
use uuid::Uuid;

/// What a user or service account holds in one organization.
pub struct Holding {
    pub access: Arc<Access>,
    pub require_second_factor: bool,
    /// For each grant on an environment, the project that it belongs to.
    projects: Vec<(Uuid, Uuid)>,
}

impl Holding {
    pub fn new(rows: HoldingRows) -> Self {
        let HoldingRows { grants: rows, overrides, require_second_factor } = rows;
        let projects = rows
            .iter()
            .filter(|r| r.scope_type == "environment")
            .filter_map(|r| Some((r.scope_id, r.project?)))
            .collect();
        let is_owner =
            rows.iter().any(|r| r.is_system && r.role == SystemRole::Owner.name() && r.scope_type == "organization");
        let grants = rows
            .into_iter()
            .filter_map(|row| {
                let set = role_permissions(&row.role, row.is_system, &row.permissions);
                Some((Scope::from_row(&row.scope_type, row.scope_id)?, set))
            })
            .collect();
        // Nobody takes anything from the owner.
        let grants = if is_owner { grants } else { overridden(grants, &overrides) };
        Self { access: Arc::new(Access { grants, is_owner }), require_second_factor, projects }
    }

    /// What a key may do: its own permissions in its own scope, never more than its maker has there.
    pub fn narrowed(&self, key: &KeyRow) -> Access {
        let Some(scope) = Scope::from_row(&key.scope_type, key.scope_id) else { return Access::default() };
        let own = PermissionSet::from_keys(key.permissions.iter().map(String::as_str));
        let project_of =
            |environment: Uuid| self.projects.iter().find(|(e, _)| *e == environment).map(|(_, project)| *project);
        let grants = self
            .access
            .grants
            .iter()
            .filter_map(|(held, set)| {
                let both = overlap(*held, scope, |environment| {
                    key.project.filter(|_| scope == Scope::Environment(environment)).or_else(|| project_of(environment))
                })?;
                Some((both, set.intersect(own)))
            })
            .collect();
        Access { grants, is_owner: false }
    }
}

/// An allowed permission holds in the whole organization, a denied one nowhere; denied wins.
fn overridden(mut grants: Vec<(Scope, PermissionSet)>, overrides: &[(String, bool)]) -> Vec<(Scope, PermissionSet)> {
    let keys = |effect: bool| overrides.iter().filter(move |(_, allow)| *allow == effect).map(|(key, _)| key.as_str());
    let allowed = PermissionSet::from_keys(keys(true));
    if allowed != PermissionSet::default() {
        grants.push((Scope::Organization, allowed));
    }
    let denied: Vec<Permission> = keys(false).filter_map(Permission::parse).collect();
    grants.into_iter().map(|(scope, set)| (scope, set.denied(&denied))).collect()
}

/// The scope that lies in both. A project and a server share objects but no scope: then neither is given.
fn overlap(a: Scope, b: Scope, project_of: impl Fn(Uuid) -> Option<Uuid>) -> Option<Scope> {
    match (a, b) {
        (a, b) if a == b => Some(a),
        (Scope::Organization, other) | (other, Scope::Organization) => Some(other),
        (Scope::Project(project), Scope::Environment(environment))
        | (Scope::Environment(environment), Scope::Project(project))
            if project_of(environment) == Some(project) =>
        {
            Some(Scope::Environment(environment))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::GrantRow;
    use super::*;
    use ocore_shared::ids::{ApiKeyId, OrganizationId};

    fn grant(scope_type: &str, scope_id: Uuid, project: Option<Uuid>, permissions: &[&str]) -> GrantRow {
        GrantRow {
            scope_type: scope_type.into(),
            scope_id,
            project,
            role: "custom".into(),
            is_system: false,
            permissions: permissions.iter().map(|p| (*p).to_owned()).collect(),
        }
    }

    fn holding(grants: Vec<GrantRow>) -> Holding {
        Holding::new(HoldingRows { grants, overrides: vec![], require_second_factor: false })
    }

    fn key(scope_type: &str, scope_id: Uuid, project: Option<Uuid>, permissions: &[&str]) -> KeyRow {
        KeyRow {
            id: ApiKeyId::new(),
            organization: OrganizationId::new(),
            name: "key".into(),
            permissions: permissions.iter().map(|p| (*p).to_owned()).collect(),
            scope_type: scope_type.into(),
            scope_id,
            project,
            allowed_addresses: vec![],
            expires_at: None,
            revoked: false,
            holder: None,
        }
    }

    #[test]
    fn a_key_has_no_more_than_its_maker() {
        let [project, environment, other] = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
        let maker = holding(vec![grant("project", project, None, &["manage:instances"])]);

        let wide = maker.narrowed(&key("organization", Uuid::nil(), None, &["manage:instances", "manage:servers"]));
        assert_eq!(wide.grants, vec![(Scope::Project(project), PermissionSet::from_keys(["manage:instances"]))]);

        let inside = maker.narrowed(&key("environment", environment, Some(project), &["view:instances"]));
        assert_eq!(
            inside.grants,
            vec![(Scope::Environment(environment), PermissionSet::from_keys(["view:instances"]))]
        );

        let outside = maker.narrowed(&key("environment", environment, Some(other), &["view:instances"]));
        assert!(outside.grants.is_empty());
        assert!(maker.narrowed(&key("server", other, None, &["view:instances"])).grants.is_empty());
    }

    #[test]
    fn a_maker_of_one_environment_keeps_to_it() {
        let [project, environment] = [Uuid::now_v7(), Uuid::now_v7()];
        let maker = holding(vec![grant("environment", environment, Some(project), &["manage:instances"])]);
        let access = maker.narrowed(&key("project", project, None, &["manage:instances"]));
        assert_eq!(access.grants.len(), 1);
        assert_eq!(access.grants[0].0, Scope::Environment(environment));
        assert!(!access.everywhere().contains(Permission::ViewInstances));
    }

    #[test]
    fn overrides_add_and_take_but_not_from_the_owner() {
        let rows = |role: &str, is_system: bool| HoldingRows {
            grants: vec![GrantRow {
                role: role.into(),
                is_system,
                ..grant("organization", Uuid::nil(), None, &["manage:instances", "view:servers"])
            }],
            overrides: vec![
                ("view:instances".into(), false),
                ("view:audit".into(), true),
                ("manage:servers".into(), true),
                ("manage:servers".into(), false),
                ("no:such".into(), true),
            ],
            require_second_factor: false,
        };
        let held = Holding::new(rows("custom", false)).access.everywhere();
        assert!(held.contains(Permission::ViewAudit) && held.contains(Permission::ViewServers));
        for gone in [Permission::ViewInstances, Permission::ManageInstances, Permission::ManageServers] {
            assert!(!held.contains(gone), "{}", gone.key());
        }
        let owner = Holding::new(rows("owner", true)).access;
        assert!(owner.is_owner && owner.everywhere() == PermissionSet::all());
        assert!(!Holding::new(rows("owner", false)).access.is_owner, "a custom role of that name is none");
    }
}
