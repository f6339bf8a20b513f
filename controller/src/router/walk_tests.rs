//! What walks over the document need: its operations, bodies that it calls good, and an organization with one of each
//! object. A new route is in every walk as soon as it is in the document.

use crate::commands::openapi_text;
use crate::identity::authentication::tests::{PASSWORD, Visitor, run, sign_in, stranger};
use crate::testing::TestApp;
use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use sqlx::{ConnectOptions, Row};
use std::cell::Cell;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Collections whose objects no request can make here; their ids are made up, so that only the route's own refusal is
/// seen. Say why.
const NOT_MADE_HERE: [&str; 2] = [
    // An authenticator makes it.
    "user/passkeys",
    // Another service says who somebody is.
    "user/connected-accounts",
];
/// Made for these tests; nobody has the private half any more.
pub const PUBLIC_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOnvz/yvLCIYkvheNuaHkFy9GN+5xZ9NZg4uoPpM5Pf8";

/// One operation of the document.
pub struct Operation {
    pub id: String,
    /// `GET /api/servers/{id}`.
    pub title: String,
    pub method: Method,
    pub path: String,
    pub permission: String,
    pub raw: Value,
}

impl Operation {
    pub fn changes(&self) -> bool {
        self.method != Method::GET
    }

    /// `servers` of `/api/servers/{id}/metrics`, `admin/users` of `/api/admin/users/{id}`.
    pub fn collection(&self) -> &str {
        let rest = self.path.strip_prefix("/api/").unwrap_or_default();
        match rest.split_once("/{") {
            Some((collection, _)) => collection,
            None => rest.split('/').next().unwrap_or_default(),
        }
    }

    pub fn names_an_object(&self) -> bool {
        self.path.contains('{')
    }

    /// The permission of an organization's role that it asks for.
    pub fn is_guarded(&self) -> bool {
        self.permission.contains(':') || self.permission == "owner"
    }
}

/// The OpenAPI document, as the code says it.
pub struct Document(Value);

impl Document {
    pub fn generated() -> Self {
        Self(serde_json::from_str(&openapi_text().unwrap()).unwrap())
    }

    pub fn operations(&self) -> Vec<Operation> {
        let mut found = Vec::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for (method, raw) in item.as_object().unwrap() {
                let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
                let text = |name: &str| raw[name].as_str().unwrap_or_else(|| panic!("{path} has no {name}")).to_owned();
                let (id, permission) = (text("operationId"), text("x-permission"));
                let title = format!("{method} {path}");
                found.push(Operation { id, title, method, path: path.clone(), permission, raw: raw.clone() });
            }
        }
        assert!(found.len() >= 80, "only {} operations are documented", found.len());
        found
    }

    /// The schema itself, whatever leads to it: a reference, one of several, or null.
    pub fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(reference) = schema["$ref"].as_str() {
            return self
                .resolve(self.0.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference} leads nowhere")));
        }
        for several in ["oneOf", "anyOf", "allOf"] {
            let first = schema[several].as_array().and_then(|all| all.iter().find(|s| s["type"] != "null"));
            if let Some(first) = first {
                return self.resolve(first);
            }
        }
        schema
    }

    pub fn body_schema<'a>(&'a self, operation: &'a Operation) -> Option<&'a Value> {
        operation.raw.pointer("/requestBody/content/application~1json/schema").map(|schema| self.resolve(schema))
    }

    /// What an answer with 2xx looks like.
    pub fn answer_schema<'a>(&'a self, operation: &'a Operation) -> Option<&'a Value> {
        let answers = operation.raw["responses"].as_object()?;
        let good = answers.iter().find(|(status, _)| status.starts_with('2'))?.1;
        good.pointer("/content/application~1json/schema").map(|schema| self.resolve(schema))
    }

    pub fn is_text(&self, schema: &Value) -> bool {
        kind(self.resolve(schema)) == "string"
    }
}

/// The one type of a schema, null aside.
fn kind(schema: &Value) -> &str {
    let several = || schema["type"].as_array()?.iter().filter_map(Value::as_str).find(|t| *t != "null");
    schema["type"].as_str().or_else(several).unwrap_or("any")
}

/// An organization with one of each object, its owner, and a second organization beside it.
pub struct World {
    pub test: TestApp,
    pub document: Document,
    pub ada: Visitor,
    /// Id of Ada's organization.
    pub organization: String,
    /// Owner of the other organization, who names their own, and the same person naming Ada's.
    pub eve: Visitor,
    pub intruder: Visitor,
    /// By collection.
    ids: BTreeMap<String, String>,
    made: Cell<u32>,
}

impl World {
    pub async fn new() -> Self {
        // Nothing listens there, so that what is sent to a webhook reaches nobody.
        let test = TestApp::start_with(|config| config.outbound_allow = vec!["127.0.0.2/32".parse().unwrap()]).await;
        let (ada, answer) = Visitor::new(&test.app).bootstrap().await;
        let organization = answer.body["user"]["organizations"][0]["id"].as_str().unwrap().to_owned();
        let ada = ada.with("x-org-slug", organization.clone());
        stranger(&test.app, "eve@example.com").await;
        let eve = sign_in(&test.app, "eve@example.com").await;
        let theirs = eve.post("/api/orgs", json!({"name": "Elsewhere"})).await.is(StatusCode::CREATED).text("id");
        let (eve, intruder) = (eve.with("x-org-slug", theirs), eve.with("x-org-slug", organization.clone()));
        let (document, ids, made) = (Document::generated(), BTreeMap::new(), Cell::new(0));
        let mut world = Self { test, document, ada, organization, eve, intruder, ids, made };
        world.populate().await;
        world
    }

    /// Somebody with that role in a scope of Ada's organization.
    pub async fn member(&self, name: &str, role: &str, scope: &str, scope_id: &str) -> Visitor {
        let email = format!("{name}@example.com");
        stranger(&self.test.app, &email).await;
        let organization = &self.organization;
        run(
            &self.test.app,
            &format!(
                "with u as (select id from users where email = '{email}'),
                 m as (insert into memberships (organization_id, user_id) select '{organization}', u.id from u)
                 insert into grants (id, organization_id, principal_type, principal_id, role_id, scope_type, scope_id)
                 select gen_random_uuid(), r.organization_id, 'user', u.id, r.id, '{scope}', '{scope_id}' from u, roles r
                 where r.organization_id = '{organization}' and r.name = '{role}'"
            ),
        )
        .await;
        sign_in(&self.test.app, &email).await.with("x-org-slug", organization.clone())
    }

    async fn populate(&mut self) {
        self.member("bob", "viewer", "organization", &self.organization.clone()).await;
        // What others refer to.
        self.make("roles").await;
        self.make("servers").await;
        // No agent is there; what an instance's first job needs is that the server seems to be.
        run(&self.test.app, "update servers set status = 'online', session_epoch = 1").await;
        // They leave a job and a mail.
        self.make("instances").await;
        self.make("invites").await;
        self.make("webhook-endpoints").await;
        let operations = self.document.operations();
        for operation in &operations {
            if operation.path.contains("{id}") || operation.path.contains("{delivery_id}") {
                self.make(operation.collection()).await;
            }
        }
    }

    /// One object of the collection: made by its POST, or the first that is there.
    async fn make(&mut self, collection: &str) {
        if self.ids.contains_key(collection) || NOT_MADE_HERE.contains(&collection) {
            return;
        }
        let id = match collection {
            "invites" => self.post("/api/members/invite").await,
            // None is sent before something happens.
            "webhook-deliveries" => {
                let endpoint = self.ids.get("webhook-endpoints").cloned().unwrap_or_default();
                let id = Uuid::now_v7().to_string();
                run(
                    &self.test.app,
                    &format!(
                        "insert into webhook_deliveries (id, organization_id, endpoint_id, event_id, event_type, subject_id, body, status)
                         values ('{id}', '{}', '{endpoint}', '{}', 'role.created', '{}', '{{}}', 'delivered')",
                        self.organization,
                        Uuid::now_v7(),
                        Uuid::now_v7()
                    ),
                )
                .await;
                Some(id)
            }
            // Whoever is not the owner.
            "members" => {
                let members = self.ada.get("/api/members?q=bob").await.is(StatusCode::OK);
                members.body["data"][0]["id"].as_str().map(str::to_owned)
            }
            _ => match self.post(&format!("/api/{collection}")).await {
                Some(id) => Some(id),
                None => {
                    self.ada.get(&format!("/api/{collection}")).await.body["data"][0]["id"].as_str().map(str::to_owned)
                }
            },
        };
        let id = id.unwrap_or_else(|| {
            panic!(
                "no object of /api/{collection} can be made or found: help World::make, or say why not in NOT_MADE_HERE"
            )
        });
        self.ids.insert(collection.to_owned(), id);
    }

    async fn post(&self, path: &str) -> Option<String> {
        let operations = self.document.operations();
        let operation = operations.iter().find(|o| o.method == Method::POST && o.path == path)?;
        let body = self.sample(operation).unwrap_or(json!({}));
        let answer = self.ada.post(path, body.clone()).await;
        assert!(answer.status.is_success(), "POST {path} with {body}: {} {}", answer.status, answer.body);
        let id_in = |value: &Value| value["id"].as_str().map(str::to_owned);
        id_in(&answer.body).or_else(|| answer.body.as_object()?.values().find_map(id_in))
    }

    /// The path with ids of Ada's objects.
    pub fn path(&self, operation: &Operation) -> String {
        let id = self.ids.get(operation.collection()).cloned();
        let filled: Vec<String> = operation
            .path
            .split('/')
            .map(|part| match part {
                "{id}" | "{delivery_id}" => id.clone().unwrap_or_else(|| Uuid::now_v7().to_string()),
                "{key}" => "view:servers".into(),
                part if part.starts_with('{') => Uuid::now_v7().to_string(),
                part => part.into(),
            })
            .collect();
        filled.join("/")
    }

    /// A body that the document calls good, with ids of Ada's objects; none where none is taken.
    pub fn sample(&self, operation: &Operation) -> Option<Value> {
        let schema = self.document.body_schema(operation)?;
        Some(self.value(schema, &operation.id))
    }

    fn value(&self, schema: &Value, name: &str) -> Value {
        let known = match name {
            "permissions" => Some(json!(["view:servers"])),
            "target" => Some(json!("/api/org")),
            "admin_login" => Some(json!("admin")),
            "environment_id" | "image" | "http_port" | "country" | "language" | "odoo_version" | "modules" => None,
            "allowed_addresses" => Some(json!(["192.0.2.0/24"])),
            "public_urls" => Some(json!([])),
            "url" => Some(json!("https://127.0.0.2:9/here")),
            "public_key" => Some(json!(PUBLIC_KEY)),
            "events" => Some(json!(["*"])),
            name => self.id_for(name).map(Value::from),
        };
        if let Some(known) = known {
            return known;
        }
        let schema = self.document.resolve(schema);
        if let Some(fixed) = schema["enum"].get(0).or(schema.get("const")).or(schema.get("example")) {
            return fixed.clone();
        }
        match kind(schema) {
            "object" => {
                let required: Vec<&str> =
                    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let properties = schema["properties"].as_object().cloned().unwrap_or_default();
                let kept = properties.iter().filter(|(key, _)| required.contains(&key.as_str()));
                Value::Object(kept.map(|(key, inner)| (key.clone(), self.value(inner, key))).collect::<Map<_, _>>())
            }
            "array" => json!([self.value(&schema["items"], "")]),
            "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
            "boolean" => json!(false),
            "string" => self.text(schema, name),
            _ => Value::Null,
        }
    }

    fn text(&self, schema: &Value, name: &str) -> Value {
        self.made.set(self.made.get() + 1);
        let number = self.made.get();
        match schema["format"].as_str().unwrap_or_default() {
            "uuid" => json!(Uuid::now_v7()),
            "email" => json!(format!("sample{number}@example.com")),
            "date-time" => json!(self.test.app.clock.now() + chrono::TimeDelta::days(1)),
            "password" => json!(PASSWORD),
            "uri" | "url" => json!("https://example.com/here"),
            _ if name.contains("password") => json!(PASSWORD),
            _ if name.contains("url") => json!("https://example.com/here"),
            _ => json!(format!("sample-{number}")),
        }
    }

    /// `server_id` -> one of Ada's servers.
    fn id_for(&self, name: &str) -> Option<String> {
        let thing = name.strip_suffix("_id")?;
        let collection = match thing {
            "member" | "user" => "members".to_owned(),
            thing => format!("{}s", thing.replace('_', "-")),
        };
        self.ids.get(&collection).cloned()
    }

    /// Status of one request with a good body; of a stream, its head's.
    pub async fn status(&self, visitor: &Visitor, operation: &Operation) -> StatusCode {
        let body = self.sample(operation);
        visitor.open(operation.method.clone(), &self.path(operation), body).await.status()
    }

    /// Everything that Ada's organization has, to see that nothing was touched.
    pub async fn everything(&self) -> BTreeMap<String, String> {
        let mut connection = self.test.options.connect().await.unwrap();
        let tables = sqlx::query(
            "select c.table_name from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
             where c.table_schema = 'public' and c.column_name = 'organization_id' and t.table_type = 'BASE TABLE'",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        let mut found = BTreeMap::new();
        for table in tables {
            let name: String = table.get(0);
            let sql = format!(
                "select coalesce(string_agg(t::text, e'\\n' order by t::text), '') from {name} t where organization_id = '{}'",
                self.organization
            );
            let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
            found.insert(name, rows);
        }
        assert!(found.len() > 10, "{:?}", found.keys());
        found
    }
}
