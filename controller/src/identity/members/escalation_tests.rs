//! Whatever people do to roles, grants and exceptions, in whatever order: nobody gains what the one who did it did not
//! hold there, nobody gains by their own doing, and there is one owner.

use super::tests::Company;
use crate::identity::authentication::access_of_member;
use crate::identity::authentication::tests::Visitor;
use crate::platform::http::ctx::Access;
use crate::platform::http::{PermissionSet, Place};
use axum::http::Method;
use ocore_shared::ids::{OrganizationId, UserId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use uuid::Uuid;

const PEOPLE: [(&str, &str); 5] =
    [("ann", "admin"), ("dev", "developer"), ("vic", "viewer"), ("kim", "Keeper"), ("rob", "Rolemaker")];
const PERMISSIONS: [&str; 8] = [
    "view:servers",
    "manage:servers",
    "terminal:servers",
    "manage:members",
    "manage:roles",
    "manage:instances",
    "view:audit",
    "manage:billing",
];
const ROLES: usize = 8;

#[derive(Clone, Debug)]
enum Edit {
    Role { by: usize, of: usize, role: usize },
    Grants { by: usize, of: usize, grants: Vec<(usize, bool)> },
    Permission { by: usize, of: usize, permission: usize, effect: Option<bool> },
    Make { by: usize, permissions: Vec<usize> },
    Change { by: usize, role: usize, permissions: Vec<usize> },
    Remove { by: usize, role: usize },
}

fn edit() -> impl Strategy<Value = Edit> {
    // Place 0 is the owner's.
    let person = || 0..=PEOPLE.len();
    let some = || prop::collection::vec(0..PERMISSIONS.len(), 1..4);
    prop_oneof![
        (person(), person(), 0..ROLES).prop_map(|(by, of, role)| Edit::Role { by, of, role }),
        (person(), person(), prop::collection::vec((0..ROLES, any::<bool>()), 0..3))
            .prop_map(|(by, of, grants)| Edit::Grants { by, of, grants }),
        (person(), person(), 0..PERMISSIONS.len(), any::<Option<bool>>())
            .prop_map(|(by, of, permission, effect)| Edit::Permission { by, of, permission, effect }),
        (person(), some()).prop_map(|(by, permissions)| Edit::Make { by, permissions }),
        (person(), 0..ROLES, some()).prop_map(|(by, role, permissions)| Edit::Change { by, role, permissions }),
        (person(), 0..ROLES).prop_map(|(by, role)| Edit::Remove { by, role }),
    ]
}

/// The company as the edits see it.
struct World {
    company: Company,
    organization: OrganizationId,
    project: Uuid,
    people: Vec<(UserId, Visitor)>,
    made: usize,
}

impl World {
    async fn new() -> Self {
        let company = Company::new().await;
        company.custom("Keeper", &["manage:members", "view:roles", "view:servers", "manage:instances"]).await;
        company.custom("Rolemaker", &["manage:roles", "manage:members", "view:audit"]).await;
        let ada = company.ada.get("/api/user").await.text("id").parse().unwrap();
        let mut people = vec![(ada, company.ada.clone())];
        for (name, role) in PEOPLE {
            let (id, visitor) = company.hire(name, role).await;
            people.push((id.parse().unwrap(), visitor));
        }
        let organization = company.ada.get("/api/org").await.text("id").parse().unwrap();
        let project = company.ada.get("/api/projects").await.body["data"][0]["id"].as_str().unwrap().parse().unwrap();
        Self { company, organization, project, people, made: 0 }
    }

    async fn roles(&self) -> Vec<String> {
        let list = self.company.ada.get("/api/roles?limit=200").await;
        list.body["data"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect()
    }

    async fn access(&self) -> Vec<Access> {
        let mut all = Vec::new();
        for (id, _) in &self.people {
            all.push(access_of_member(self.company.app(), *id, self.organization).await.unwrap().unwrap_or_default());
        }
        all
    }

    fn places(&self) -> [Place; 2] {
        [Place::default(), Place { project: Some(self.project), ..Place::default() }]
    }

    /// Who asks, and what; whether it was done is the service's affair.
    async fn apply(&mut self, edit: &Edit) -> usize {
        let roles = self.roles().await;
        let role = |index: usize| roles[index % roles.len()].clone();
        let keys = |list: &[usize]| -> Vec<&str> { list.iter().map(|i| PERMISSIONS[*i]).collect() };
        let member = |of: usize| format!("/api/members/{}", self.people[of].0);
        let (by, method, path, body): (usize, Method, String, Option<Value>) = match edit {
            Edit::Role { by, of, role: index } => {
                (*by, Method::PUT, format!("{}/role", member(*of)), Some(json!({ "role_id": role(*index) })))
            }
            Edit::Grants { by, of, grants } => {
                let scope = |whole: bool| {
                    if whole {
                        json!({ "type": "organization" })
                    } else {
                        json!({ "type": "project", "id": self.project })
                    }
                };
                let grants: Vec<Value> = grants
                    .iter()
                    .map(|(index, whole)| json!({ "role_id": role(*index), "scope": scope(*whole) }))
                    .collect();
                (*by, Method::PUT, format!("{}/grants", member(*of)), Some(json!({ "grants": grants })))
            }
            Edit::Permission { by, of, permission, effect } => {
                let path = format!("{}/permissions/{}", member(*of), PERMISSIONS[*permission]);
                match effect {
                    Some(allow) => {
                        let effect = if *allow { "allow" } else { "deny" };
                        (*by, Method::PUT, path, Some(json!({ "effect": effect })))
                    }
                    None => (*by, Method::DELETE, path, None),
                }
            }
            Edit::Make { by, permissions } => {
                self.made += 1;
                let body = json!({ "name": format!("Made {}", self.made), "permissions": keys(permissions) });
                (*by, Method::POST, "/api/roles".into(), Some(body))
            }
            Edit::Change { by, role: index, permissions } => {
                let body = json!({ "permissions": keys(permissions) });
                (*by, Method::PUT, format!("/api/roles/{}", role(*index)), Some(body))
            }
            Edit::Remove { by, role: index } => (*by, Method::DELETE, format!("/api/roles/{}", role(*index)), None),
        };
        let answer = self.people[by].1.send(method, &path, body).await;
        assert!(answer.status.as_u16() < 500, "{edit:?}: {}", answer.body);
        by
    }
}

async fn hold(edits: &[Edit]) -> Result<(), TestCaseError> {
    let mut world = World::new().await;
    for edit in edits {
        let before = world.access().await;
        let by = world.apply(edit).await;
        // What others may do is not to be remembered from before.
        world.company.app().auth.forget_holdings();
        let after = world.access().await;
        for place in world.places() {
            let editor: PermissionSet = before[by].at(&place);
            for (index, (was, is)) in before.iter().zip(&after).enumerate() {
                let gained = is.at(&place).minus(was.at(&place));
                prop_assert!(
                    gained.is_subset_of(editor),
                    "{edit:?} gave {index} at {place:?}: {:?}",
                    gained.minus(editor).keys()
                );
                prop_assert!(index != by || gained.is_empty(), "{edit:?} lifted its own doer: {:?}", gained.keys());
            }
        }
        let owners = after.iter().filter(|access| access.is_owner).count();
        prop_assert_eq!(owners, 1);
    }
    Ok(())
}

#[test]
fn no_sequence_of_edits_lifts_anybody_above_who_did_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config { cases: 12, max_shrink_iters: 40, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(edit(), 25..40), |edits| runtime.block_on(hold(&edits)))
        .unwrap();
}
