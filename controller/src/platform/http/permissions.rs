//! Permission keys: `action:resource`, where `manage` includes `view`.

use crate::error::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! permissions {
    ($($name:ident $key:literal $description:literal)+) => {
        /// One permission. Keys are stable and never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        pub enum Permission { $(#[serde(rename = $key)] $name),+ }

        impl Permission {
            pub const ALL: &[Permission] = &[$(Permission::$name),+];

            pub fn key(self) -> &'static str {
                match self { $(Permission::$name => $key),+ }
            }

            /// What it lets one do, for people.
            pub fn description(self) -> &'static str {
                match self { $(Permission::$name => $description),+ }
            }
        }
    };
}

permissions! {
    ViewOrg "view:org" "See the organization and its settings"
    ManageOrg "manage:org" "Change the organization"
    ViewMembers "view:members" "See members and invitations"
    ManageMembers "manage:members" "Invite, change and remove members"
    ViewRoles "view:roles" "See roles and their permissions"
    ManageRoles "manage:roles" "Make, change and remove roles"
    ViewApiKeys "view:api-keys" "See API keys (never their secret)"
    ManageApiKeys "manage:api-keys" "Make and revoke API keys, none broader than oneself"
    ViewServers "view:servers" "See servers, their metrics and inventory"
    ManageServers "manage:servers" "Add, change and remove servers"
    ViewProjects "view:projects" "See projects and environments"
    ManageProjects "manage:projects" "Make, change and remove projects and environments"
    ViewDeployments "view:deployments" "See deployments"
    ManageDeployments "manage:deployments" "Start and roll back deployments"
    ViewInstances "view:instances" "See instances and their logs"
    ManageInstances "manage:instances" "Make, change, start, stop and remove instances"
    ViewDatabases "view:databases" "See databases"
    ManageDatabases "manage:databases" "Make, change and remove databases"
    ViewBackups "view:backups" "See backups and destinations"
    ManageBackups "manage:backups" "Make, restore and remove backups"
    ViewDomains "view:domains" "See domains and certificates"
    ManageDomains "manage:domains" "Add, change and remove domains"
    ViewWebhooks "view:webhooks" "See webhook endpoints and deliveries"
    ManageWebhooks "manage:webhooks" "Make, change and remove webhook endpoints"
    ViewAudit "view:audit" "Read the audit log"
    ManageAudit "manage:audit" "Change the audit log's retention"
    ViewJobs "view:jobs" "See the jobs of what one may see"
    ManageJobs "manage:jobs" "Cancel jobs"
    ViewWorkloads "view:workloads" "See workloads"
    ManageWorkloads "manage:workloads" "Make, change and remove workloads"
    ViewTemplates "view:templates" "See templates"
    ManageTemplates "manage:templates" "Make, change and remove templates"
    ViewCredentials "view:credentials" "See credentials and registries (never their secret)"
    ManageCredentials "manage:credentials" "Make, change and remove credentials and registries"
    ViewDns "view:dns" "See DNS zones and records"
    ManageDns "manage:dns" "Change DNS zones and records"
    ViewProvision "view:provision" "See cloud provisioning"
    ManageProvision "manage:provision" "Make and remove cloud servers"
    ViewSsh "view:ssh" "See the SSH authority and its certificates"
    ManageSsh "manage:ssh" "Change the SSH authority"
    ViewAlerts "view:alerts" "See alerts and their rules"
    ManageAlerts "manage:alerts" "Change alert rules, resolve alerts"
    ViewIntegrations "view:integrations" "See integrations"
    ManageIntegrations "manage:integrations" "Change integrations"
    ViewBilling "view:billing" "See plans and invoices"
    ManageBilling "manage:billing" "Change plan and payment"
    ViewSettings "view:settings" "See the organization's settings"
    ManageSettings "manage:settings" "Change the organization's settings"
    TerminalServers "terminal:servers" "Open a root shell on servers"
    FilesServers "files:servers" "Read and write files of servers"
    ConsoleInstances "console:instances" "Open a shell in instances"
    FilesInstances "files:instances" "Read and write files of instances"
    QueryDatabases "query:databases" "Run SQL in databases"
    DownloadBackups "download:backups" "Download backups"
    SignSsh "sign:ssh" "Get SSH certificates"
}

impl Permission {
    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|p| p.key() == key)
    }

    fn bit(self) -> u128 {
        1 << self as u32
    }

    /// Whether who holds it holds the other, too.
    pub fn implies(self, other: Self) -> bool {
        self == other || self.includes() == Some(other)
    }

    /// `manage:x` includes `view:x`.
    fn includes(self) -> Option<Self> {
        let resource = self.key().strip_prefix("manage:")?;
        Self::parse(&format!("view:{resource}"))
    }
}

/// A set of permissions, closed under "manage includes view".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet(u128);

impl PermissionSet {
    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    pub fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    pub fn intersect(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn is_subset_of(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    pub fn without(self, permissions: &[Permission]) -> Self {
        Self(permissions.iter().fold(self.0, |bits, p| bits & !p.bit()))
    }

    /// Without these and without what includes them: who may not see cannot manage.
    pub fn denied(self, permissions: &[Permission]) -> Self {
        let including = |p: Permission| Permission::ALL.iter().copied().filter(move |q| q.includes() == Some(p));
        let all: Vec<_> = permissions.iter().flat_map(|p| including(*p).chain([*p])).collect();
        self.without(&all)
    }

    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |p| self.contains(*p))
    }

    /// Keys as stored; unknown ones (of a newer version) are passed over.
    pub fn from_keys<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        keys.into_iter().filter_map(Permission::parse).collect()
    }

    /// Keys as somebody wrote them; each unknown one is a problem of its place in `field`.
    pub fn parse(field: &str, keys: &[String]) -> Result<Self, Vec<Problem>> {
        let problem = |(index, key): (usize, &String)| Problem {
            field: format!("{field}[{index}]"),
            constraint: "enum".into(),
            message: format!("There is no permission '{key}'; GET /api/permissions lists them."),
        };
        let unknown = keys.iter().enumerate().filter(|(_, key)| Permission::parse(key).is_none());
        let problems: Vec<_> = unknown.map(problem).collect();
        if problems.is_empty() { Ok(Self::from_keys(keys.iter().map(String::as_str))) } else { Err(problems) }
    }

    /// What is in this set and not in the other.
    pub fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn keys(self) -> Vec<String> {
        self.iter().map(|p| p.key().to_owned()).collect()
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, p| bits | p.bit() | p.includes().map_or(0, Permission::bit)))
    }
}

/// The four roles that every organization has and nobody edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemRole {
    Owner,
    Admin,
    Developer,
    Viewer,
}

impl SystemRole {
    pub const ALL: [SystemRole; 4] = [Self::Owner, Self::Admin, Self::Developer, Self::Viewer];

    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Viewer => "viewer",
        }
    }

    pub fn description(self) -> &'static str {
        match self {
            Self::Owner => "Everything; alone deletes or transfers the organization and manages billing",
            Self::Admin => "Everything but deleting, transferring and billing",
            Self::Developer => {
                "Sees all but the audit log; manages projects, instances, databases, backups and domains"
            }
            Self::Viewer => "Sees; no secrets, no downloads",
        }
    }

    pub fn permissions(self) -> PermissionSet {
        use Permission::*;
        let views = || Permission::ALL.iter().copied().filter(|p| p.key().starts_with("view:"));
        match self {
            Self::Owner => PermissionSet::all(),
            Self::Admin => PermissionSet::all().without(&[ManageBilling]),
            Self::Developer => views()
                .filter(|p| *p != ViewAudit)
                .chain([
                    ManageProjects,
                    ManageDeployments,
                    ManageInstances,
                    ManageDatabases,
                    ManageBackups,
                    ManageDomains,
                    ManageWorkloads,
                    ManageApiKeys,
                    ManageJobs,
                    ConsoleInstances,
                    FilesInstances,
                    QueryDatabases,
                ])
                .collect(),
            Self::Viewer => views().filter(|p| *p != ViewAudit).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manage_includes_view() {
        let set = PermissionSet::from_keys(["manage:servers"]);
        assert!(set.contains(Permission::ViewServers));
        assert!(!set.contains(Permission::TerminalServers));
    }

    #[test]
    fn every_key_is_unique_and_reads_back() {
        assert!(Permission::ALL.len() <= 128);
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.key()), Some(*permission));
        }
    }

    #[test]
    fn roles_nest_and_developers_touch_no_servers() {
        let [owner, admin, developer, viewer] = SystemRole::ALL.map(SystemRole::permissions);
        assert!(viewer.is_subset_of(developer) && developer.is_subset_of(admin) && admin.is_subset_of(owner));
        assert!(!developer.contains(Permission::ManageServers) && !developer.contains(Permission::TerminalServers));
        assert!(!admin.contains(Permission::ManageBilling) && owner.contains(Permission::ManageBilling));
    }
}
