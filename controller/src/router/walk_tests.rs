//! What walks over the documents of both surfaces need: their operations, bodies that they call good, and an
//! organization with one of each object. A new route is in every walk as soon as it is in its document.

use crate::commands::{openapi_text, openapi_v1_text};
use crate::identity::authentication::tests::{Answer, PASSWORD, Visitor, member, run, stranger};
use crate::testing::TestApp;
use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use sqlx::{ConnectOptions, Row};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Collections whose objects no request can make here; their ids are made up, so that only the route's own refusal is
/// seen. Say why.
const NOT_MADE_HERE: [&str; 2] = [
    // An authenticator makes it.
    "user/passkeys",
    // Another service says who somebody is.
    "user/connected-accounts",
];
/// What a path calls the object of its collection.
const OBJECTS: [&str; 4] = ["id", "delivery_id", "project_id", "env_id"];
/// Objects below others, each made by itself.
const INNER: [(&str, &str); 3] = [("domain_id", "domains"), ("backup_id", "backups"), ("bid", "backups")];
/// Made for these tests; nobody has the private half any more.
pub const PUBLIC_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOnvz/yvLCIYkvheNuaHkFy9GN+5xZ9NZg4uoPpM5Pf8";

/// One operation of a document.
pub struct Operation {
    /// Of the canonical operation.
    pub id: String,
    /// `GET /v1/nodes/{id}`.
    pub title: String,
    pub method: Method,
    pub path: String,
    /// `/api/servers/{id}`, whichever surface it is of.
    canonical: String,
    pub permission: String,
    pub raw: Value,
}

impl Operation {
    fn new(path: &str, method: Method, raw: &Value) -> Self {
        let title = format!("{method} {path}");
        let text = |name: &str| raw[name].as_str().unwrap_or_else(|| panic!("{title} has no {name}")).to_owned();
        text("summary");
        let canonical = raw["x-canonical"].as_str().and_then(|c| c.split_once(' ')).map_or(path, |(_, path)| path);
        let mut places = BTreeSet::new();
        for parameter in raw["parameters"].as_array().into_iter().flatten() {
            let place = (parameter["name"].to_string(), parameter["in"].to_string());
            assert!(places.insert(place), "{title} has a parameter twice: {parameter}");
        }
        Self {
            id: raw["x-canonical-id"].as_str().map_or_else(|| text("operationId"), str::to_owned),
            method,
            path: path.to_owned(),
            canonical: canonical.to_owned(),
            permission: text("x-permission"),
            raw: raw.clone(),
            title,
        }
    }

    pub fn is_v1(&self) -> bool {
        self.path.starts_with("/v1/")
    }

    pub fn changes(&self) -> bool {
        self.method != Method::GET
    }

    /// `servers` of `/api/servers/{id}/metrics`, `admin/users` of `/api/admin/users/{id}`.
    pub fn collection(&self) -> &str {
        let rest = self.canonical.strip_prefix("/api/").unwrap_or_default();
        match rest.split_once("/{") {
            Some((collection, _)) => collection,
            None => rest.split('/').next().unwrap_or_default(),
        }
    }

    /// An object in an organization: which one that is, a path of `/v1` may say too.
    pub fn names_an_object(&self) -> bool {
        self.canonical.contains('{')
    }

    /// The permission of an organization's role that it asks for.
    pub fn is_guarded(&self) -> bool {
        self.permission.contains(':') || self.permission == "owner"
    }
}

/// The OpenAPI documents of both surfaces as one, as the code says them.
pub struct Document {
    whole: Value,
    operations: Vec<Operation>,
}

impl Document {
    pub fn generated() -> Self {
        let mut whole: Value = serde_json::from_str(&openapi_text().unwrap()).unwrap();
        let second: Value = serde_json::from_str(&openapi_v1_text().unwrap()).unwrap();
        for (part, is_shared) in [("/paths", false), ("/components/schemas", true)] {
            let known = whole.pointer_mut(part).unwrap().as_object_mut().unwrap();
            for (name, value) in second.pointer(part).unwrap().as_object().unwrap() {
                let before = known.entry(name).or_insert_with(|| value.clone());
                assert!(!is_shared || before == value, "the surfaces mean different things by {name}");
            }
        }
        let mut operations = Vec::new();
        for (path, item) in whole["paths"].as_object().unwrap() {
            for (method, raw) in item.as_object().unwrap() {
                let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
                operations.push(Operation::new(path, method, raw));
            }
        }
        let second = operations.iter().filter(|o| o.is_v1()).count();
        assert!(second >= 70 && operations.len() - second >= 160, "{second} of {}", operations.len());
        Self { whole, operations }
    }

    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operation of `/api` with that id.
    pub fn canonical(&self, id: &str) -> &Operation {
        self.operations.iter().find(|o| o.id == id && !o.is_v1()).unwrap_or_else(|| panic!("{id} is no operation"))
    }

    /// The schema itself, whatever leads to it: a reference, one of several, or null.
    pub fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(reference) = schema["$ref"].as_str() {
            return self
                .resolve(self.whole.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference} leads nowhere")));
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
    /// Without any credential.
    pub anyone: Visitor,
    pub ada: Visitor,
    /// Id of Ada's organization.
    pub organization: String,
    /// Owner of the other organization, who names their own, and the same person naming Ada's.
    pub eve: Visitor,
    pub intruder: Visitor,
    /// One by collection.
    objects: BTreeMap<String, Value>,
    made: Cell<u32>,
}

impl World {
    pub async fn new() -> Self {
        // Nothing listens there, so that what is sent to a webhook reaches nobody.
        let test = TestApp::start_with(|config| config.outbound_allow = vec!["127.0.0.2/32".parse().unwrap()]).await;
        let anyone = Visitor::new(&test.app);
        let (ada, answer) = anyone.bootstrap().await;
        let organization = answer.organization();
        let ada = ada.with("x-org-slug", organization.clone());
        stranger(&test.app, "eve@example.com").await;
        let eve = anyone.signed_in("eve@example.com").await;
        let theirs = eve.post("/api/orgs", json!({"name": "Elsewhere"})).await.is(StatusCode::CREATED).text("id");
        let (eve, intruder) = (eve.with("x-org-slug", theirs), eve.with("x-org-slug", organization.clone()));
        let (document, objects, made) = (Document::generated(), BTreeMap::new(), Cell::new(0));
        let mut world = Self { test, document, anyone, ada, organization, eve, intruder, objects, made };
        world.populate().await;
        world
    }

    /// Somebody with that role in a scope of Ada's organization.
    pub async fn member(&self, name: &str, role: &str, scope: &str, scope_id: &str) -> Visitor {
        let (email, organization) = (format!("{name}@example.com"), &self.organization);
        member(&self.test.app, organization, &email, role, (scope, scope_id)).await;
        self.anyone.signed_in(&email).await.with("x-org-slug", organization.clone())
    }

    async fn populate(&mut self) {
        self.member("bob", "viewer", "organization", &self.organization.clone()).await;
        // What others refer to.
        self.make("roles").await;
        self.make("servers").await;
        // No agent is there; what an instance's first job needs is that the server seems to be.
        run(&self.test.app, "update servers set status = 'online', session_epoch = 1").await;
        // Those that everything else is in, which are there from the start.
        for collection in ["projects", "environments"] {
            let first = self.first(&format!("/api/{collection}")).await;
            self.objects.insert(collection.to_owned(), first.unwrap());
        }
        // They leave a job and a mail.
        self.make("instances").await;
        self.make("invites").await;
        self.make("domains").await;
        self.make("webhook-endpoints").await;
        self.make("backups").await;
        let named = |o: &&Operation| OBJECTS.iter().any(|name| o.canonical.contains(&format!("{{{name}}}")));
        let operations = self.document.operations().iter().filter(named);
        let collections: BTreeSet<String> = operations.map(|o| o.collection().to_owned()).collect();
        for collection in collections {
            self.make(&collection).await;
        }
    }

    /// One object of the collection: made by its POST, or the first that is there.
    async fn make(&mut self, collection: &str) {
        if self.objects.contains_key(collection) || NOT_MADE_HERE.contains(&collection) {
            return;
        }
        let object = match collection {
            "invites" => self.post("/api/members/invite").await,
            "domains" => {
                let path = format!("/api/instances/{}/domains", self.id("instances").unwrap_or_default());
                Some(self.ada.post(&path, json!({"host": "first.example.com"})).await.is(StatusCode::CREATED).body)
            }
            // An agent makes them.
            "backups" => {
                let id = Uuid::now_v7();
                let of = |collection: &str| self.id(collection).unwrap_or_default();
                let (project, environment) = (of("projects"), of("environments"));
                run(
                    &self.test.app,
                    &format!(
                        "insert into backups (id, organization_id, project_id, environment_id, instance_id, server_id,
                             instance_name, odoo_version, kind, status, destination_id, place, prefix, encryption,
                             job_id, created_by)
                         select '{id}', '{}', '{project}', '{environment}', '{}', '{}', 'Shop', '19.0', 'manual',
                             'succeeded', d.id, d.config, 'a/b/c/', 'none', '{id}', '{{\"type\": \"system\", \"id\": \"{id}\", \"name\": \"oCore\"}}'
                         from backup_destinations d where d.organization_id = '{}' and d.is_default",
                        self.organization,
                        of("instances"),
                        of("servers"),
                        self.organization
                    ),
                )
                .await;
                Some(self.ada.get(&format!("/api/backups/{id}")).await.is(StatusCode::OK).body)
            }
            // None is sent before something happens.
            "webhook-deliveries" => {
                let endpoint = self.id("webhook-endpoints").unwrap_or_default();
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
                Some(json!({ "id": id }))
            }
            // Whoever is not the owner.
            "members" => self.first("/api/members?q=bob").await,
            _ => match self.post(&format!("/api/{collection}")).await {
                Some(object) => Some(object),
                None => self.first(&format!("/api/{collection}")).await,
            },
        };
        let object = object.unwrap_or_else(|| {
            panic!(
                "no object of /api/{collection} can be made or found: help World::make, or say why not in NOT_MADE_HERE"
            )
        });
        self.objects.insert(collection.to_owned(), object);
    }

    async fn first(&self, list: &str) -> Option<Value> {
        let first = self.ada.get(list).await.body["data"][0].clone();
        first.is_object().then_some(first)
    }

    async fn post(&self, path: &str) -> Option<Value> {
        let operation = self.document.operations().iter().find(|o| o.method == Method::POST && o.path == path)?;
        let body = self.sample(operation).unwrap_or(json!({}));
        let answer = self.ada.post(path, body.clone()).await;
        assert!(answer.status.is_success(), "POST {path} with {body}: {} {}", answer.status, answer.body);
        let inner = answer.body.as_object()?.values();
        std::iter::once(&answer.body).chain(inner).find(|object| object["id"].is_string()).cloned()
    }

    fn id(&self, collection: &str) -> Option<&str> {
        self.objects.get(collection)?["id"].as_str()
    }

    /// The path with ids of Ada's objects, in the organization that the visitor names, and what its query must have.
    pub fn path(&self, visitor: &Visitor, operation: &Operation) -> String {
        self.path_with(visitor, operation, None)
    }

    /// The same with another parameter in its query, as it is written there.
    pub fn path_with(&self, visitor: &Visitor, operation: &Operation, other: Option<(&str, &str)>) -> String {
        let object = self.objects.get(operation.collection());
        let value = |parameter: &str| match parameter {
            "orgId" => visitor.header("x-org-slug").or(Some(&self.organization)),
            "key" => Some("view:servers"),
            "name" => object?["name"].as_str(),
            "userId" | "inviteId" => object?["id"].as_str(),
            name if OBJECTS.contains(&name) => object?["id"].as_str(),
            name => INNER.iter().find(|(known, _)| *known == name).and_then(|(_, collection)| self.id(collection)),
        };
        let filled: Vec<String> = operation
            .path
            .split('/')
            .map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(parameter) => value(parameter).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned),
                None => part.to_owned(),
            })
            .collect();
        let parameters = operation.raw["parameters"].as_array().into_iter().flatten();
        let required = parameters.filter(|p| p["in"] == "query" && p["required"] == true);
        let named = required.filter_map(|p| Some((p["name"].as_str()?, self.value(&p["schema"], p["name"].as_str()?))));
        let query: Vec<String> = named
            .filter(|(name, _)| other.is_none_or(|(other, _)| other != *name))
            .map(|(name, value)| format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .chain(other.map(|(name, value)| format!("{name}={value}")))
            .collect();
        if query.is_empty() { filled.join("/") } else { format!("{}?{}", filled.join("/"), query.join("&")) }
    }

    /// A body that the document calls good, with ids of Ada's objects; none where none is taken.
    pub fn sample(&self, operation: &Operation) -> Option<Value> {
        let schema = self.document.body_schema(operation)?;
        Some(self.value(schema, &operation.id))
    }

    fn value(&self, schema: &Value, name: &str) -> Value {
        let known = match name {
            "permissions" => Some(json!(["view:servers"])),
            "key" => Some(json!("view:servers")),
            "target" => Some(json!("/api/org")),
            "admin_login" => Some(json!("admin")),
            "environment_id" | "image" | "http_port" | "country" | "language" | "odoo_version" | "modules" => None,
            "allowed_addresses" => Some(json!(["192.0.2.0/24"])),
            "public_urls" => Some(json!([])),
            "url" => Some(json!("https://127.0.0.2:9/here")),
            "address" => Some(json!("127.0.0.2:9")),
            "public_key" => Some(json!(PUBLIC_KEY)),
            "events" => Some(json!(["*"])),
            // A place that nobody has to be asked about.
            "config" if schema["$ref"].as_str().is_some_and(|name| name.ends_with("/Place")) => {
                Some(json!({"kind": "local", "path": "/mnt/backups"}))
            }
            name => self.id_for(name).map(Value::from),
        };
        if let Some(known) = known {
            return known;
        }
        let schema = self.document.resolve(schema);
        // A project has one production environment, and that it has already.
        if name == "type" && schema["enum"].as_array().is_some_and(|words| words.contains(&json!("staging"))) {
            return json!("staging");
        }
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
            _ if name == "role" => json!("viewer"),
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
            "node" => "servers".to_owned(),
            thing => format!("{}s", thing.replace('_', "-")),
        };
        self.id(&collection).map(str::to_owned)
    }

    /// One request with a good body.
    pub async fn send(&self, visitor: &Visitor, operation: &Operation) -> Answer {
        visitor.send(operation.method.clone(), &self.path(visitor, operation), self.sample(operation)).await
    }

    /// Status of one request with a good body; of a stream, its head's.
    pub async fn status(&self, visitor: &Visitor, operation: &Operation) -> StatusCode {
        let (path, body) = (self.path(visitor, operation), self.sample(operation));
        visitor.open(operation.method.clone(), &path, body).await.status()
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
