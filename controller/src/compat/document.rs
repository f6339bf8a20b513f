//! The OpenAPI document of `/v1`, derived from the canonical one by the table.

use super::fields::{schema_in, schema_out, word_out};
use super::row::{In, Kind, ORGANIZATION, Row, Source, Words};
use super::v1::TABLE;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Method, path and description of a canonical operation.
#[derive(Clone)]
pub struct Canonical {
    pub method: String,
    pub path: String,
    pub operation: Value,
}

impl Canonical {
    /// Whether it has that parameter in its query.
    pub fn takes(&self, name: &str) -> bool {
        let parameters = self.operation["parameters"].as_array();
        parameters.into_iter().flatten().any(|p| p["name"] == name && p["in"] == "query")
    }
}

/// The operations of a document by their ids.
pub fn operations(document: &Value) -> BTreeMap<String, Canonical> {
    let mut found = BTreeMap::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            if let Some(id) = operation["operationId"].as_str() {
                let (method, path) = (method.to_uppercase(), path.clone());
                found.insert(id.to_owned(), Canonical { method, path, operation: operation.clone() });
            }
        }
    }
    found
}

/// The names in braces of a path.
pub fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// The document of `/v1`.
pub fn document(canonical: &Value) -> Value {
    let operations = operations(canonical);
    let mut writer = Writer { canonical, schemas: Map::new() };
    let mut paths: Map<String, Value> = Map::new();
    for row in TABLE {
        let Some(target) = operations.get(row.operation) else { continue };
        let operation = writer.operation(row, target);
        paths.entry(row.path).or_insert_with(|| json!({}))[row.method.to_lowercase()] = operation;
    }
    writer.schemas.insert(
        "Error".into(),
        json!({
            "type": "object", "required": ["error"], "description": "The body of every answer that is not a success.",
            "properties": {"error": {"type": "string", "description": "What is wrong and what to do."}}
        }),
    );
    json!({
        "openapi": canonical["openapi"],
        "info": {
            "title": "oCore, Shardlyn-compatible surface",
            "version": canonical["info"]["version"],
            "description": "The same system as /api, for clients that were written for Shardlyn's API. Codes of errors are in the header X-Error-Code."
        },
        "paths": paths,
        "components": {"schemas": writer.schemas, "securitySchemes": canonical["components"]["securitySchemes"]},
    })
}

struct Writer<'a> {
    canonical: &'a Value,
    schemas: Map<String, Value>,
}

impl Writer<'_> {
    fn operation(&mut self, row: &Row, target: &Canonical) -> Value {
        let from = &target.operation;
        let mut operation = json!({
            "tags": [row.group],
            "operationId": row.id(),
            "summary": row.summary,
            "description": describe(row, target),
            "parameters": self.parameters(row, from),
            "responses": self.responses(row, from),
            "x-permission": from["x-permission"],
            "x-canonical": format!("{} {}", target.method, target.path),
            "x-canonical-id": row.operation,
        });
        if let Some(security) = from.get("security") {
            operation["security"] = security.clone();
        }
        if let Some(body) = self.request_body(row, from) {
            operation["requestBody"] = body;
        }
        operation
    }

    fn parameters(&mut self, row: &Row, from: &Value) -> Value {
        let mut list: Vec<Value> = path_parameters(row.path)
            .map(|name| {
                let canonical = row.parameters.iter().find(|(_, f)| f.is_from(name)).map_or(name, |(c, _)| c);
                let known = self.parameter(from, canonical, "path");
                let by_name = row
                    .parameters
                    .iter()
                    .any(|(_, f)| matches!(f, Source::Name { parameter, .. } if *parameter == name));
                let schema = match known {
                    Some(found) if !by_name => found["schema"].clone(),
                    _ => json!({"type": "string"}),
                };
                let mut parameter = json!({"name": name, "in": "path", "required": true, "schema": schema});
                if name == ORGANIZATION {
                    parameter["description"] = json!("Id or slug of the organization.");
                }
                parameter
            })
            .collect();
        for parameter in from["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] != "path" {
                let mut parameter = parameter.clone();
                let name = word_out(row.query, parameter["name"].as_str().unwrap_or_default()).to_owned();
                words_out(row.words(parameter["name"].as_str().unwrap_or_default()), &mut parameter["schema"]);
                parameter["name"] = json!(name);
                if row.kind == Kind::List && name == "limit" {
                    parameter["description"] =
                        json!("How many, 1 to 200. Left out: all, up to 1,000, then a Link with rel=\"next\".");
                }
                self.collect(&parameter);
                list.push(parameter);
            }
        }
        json!(list)
    }

    fn parameter(&mut self, from: &Value, name: &str, place: &str) -> Option<Value> {
        let found = from["parameters"].as_array()?.iter().find(|p| p["name"] == name && p["in"] == place)?.clone();
        self.collect(&found);
        Some(found)
    }

    fn request_body(&mut self, row: &Row, from: &Value) -> Option<Value> {
        let body = from.get("requestBody");
        if let Some(other) = body.filter(|body| body["content"]["application/json"].is_null()) {
            self.collect(other);
            return Some(other.clone());
        }
        let mut content = body.map(|b| b["content"]["application/json"].clone()).unwrap_or_default();
        if body.is_none() && !row.sends.iter().any(|step| matches!(step, In::Path { .. })) {
            return None;
        }
        if !row.sends.is_empty() {
            let name =
                content["schema"]["$ref"].as_str().and_then(|r| r.rsplit('/').next()).unwrap_or("Body").to_owned();
            let mut schema = self.whole(&content["schema"]);
            schema_in(row.sends, &mut schema);
            self.collect(&schema);
            let named = self.named(&name, row, schema);
            content = json!({"schema": named});
        }
        self.collect(&content);
        let needed = !content_is_optional(&content["schema"], &self.schemas);
        Some(json!({"content": {"application/json": content}, "required": needed}))
    }

    fn responses(&mut self, row: &Row, from: &Value) -> Value {
        let mut responses = Map::new();
        for (status, response) in from["responses"].as_object().into_iter().flatten() {
            let success = status.starts_with('2') || status.starts_with('1') || status.starts_with('3');
            let mut response = response.clone();
            if !success {
                response["content"] = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}});
                responses.insert(status.clone(), response);
                continue;
            }
            if let Some(content) = response.get_mut("content").and_then(|c| c.get_mut("application/json"))
                && (!row.answers.is_empty() || row.also.is_some())
            {
                content.as_object_mut().map(|c| [c.remove("example"), c.remove("examples")]);
                content["schema"] = self.answer(row, &content["schema"].clone());
            }
            self.collect(&response);
            let status = row.status.filter(|_| status.starts_with('2')).map_or(status.clone(), |s| s.to_string());
            responses.insert(status, response);
        }
        // A row can refuse more than its operation: a name in the body that leads nowhere.
        let refusal = json!({"description": "A field is wrong.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}});
        responses.entry("400").or_insert(refusal);
        if path_parameters(row.path).next().is_some() {
            let missing = json!({"description": "There is no such object, or it is not visible with these credentials.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}});
            responses.entry("404").or_insert(missing);
        }
        Value::Object(responses)
    }

    /// The schema of an answer in the names of `/v1`.
    fn answer(&mut self, row: &Row, schema: &Value) -> Value {
        let name = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()).unwrap_or("Answer").to_owned();
        let mut whole = self.whole(schema);
        let resolve = |inner: &Value| self.whole(inner);
        if let Some(ways) = whole.get_mut("oneOf").and_then(Value::as_array_mut) {
            for way in ways {
                let mut inner = self.whole(way);
                schema_out(row.answers, &mut inner, &resolve);
                *way = inner;
            }
        } else if row.kind == Kind::List {
            let mut item = self.whole(&whole["properties"]["data"]["items"]);
            schema_out(row.answers, &mut item, &resolve);
            whole["properties"]["data"]["items"] = item;
        } else {
            schema_out(row.answers, &mut whole, &resolve);
        }
        if let Some((field, list)) = row.also {
            let items = self.items_of(list);
            whole["properties"][field] = json!({"type": "array", "items": items});
        }
        self.collect(&whole);
        self.named(&name, row, whole)
    }

    /// What a canonical list has.
    fn items_of(&self, list: &str) -> Value {
        let operations = operations(self.canonical);
        let Some(target) = operations.get(list) else { return json!({}) };
        let whole = self.whole(&target.operation["responses"]["200"]["content"]["application/json"]["schema"]);
        whole["properties"]["data"]["items"].clone()
    }

    /// Keep a schema under a name; two rows that make the same of one share it.
    fn named(&mut self, name: &str, row: &Row, schema: Value) -> Value {
        let mut name = format!("V1{name}");
        if self.schemas.get(&name).is_some_and(|known| *known != schema) {
            name = format!("{name}_{}", row.id());
        }
        let reference = json!({"$ref": format!("#/components/schemas/{name}")});
        self.schemas.insert(name, schema);
        reference
    }

    /// A schema with what it refers to put in at the first level, and properties with words of their own, too.
    fn whole(&self, schema: &Value) -> Value {
        let mut whole = self.resolve(schema);
        if let Some(parts) = whole["allOf"].as_array().cloned() {
            let mut merged = json!({"type": "object", "properties": {}});
            for part in parts.iter().map(|part| self.whole(part)) {
                for (name, property) in part["properties"].as_object().cloned().unwrap_or_default() {
                    merged["properties"][name] = property;
                }
                let required = part["required"].as_array().cloned().unwrap_or_default();
                match merged.get_mut("required").and_then(Value::as_array_mut) {
                    Some(list) => list.extend(required),
                    None => merged["required"] = json!(required),
                }
            }
            if let Some(text) = whole.get("description") {
                merged["description"] = text.clone();
            }
            whole = merged;
        }
        let properties = whole.get_mut("properties").and_then(Value::as_object_mut);
        for property in properties.into_iter().flat_map(|p| p.values_mut()) {
            let resolved = self.resolve(property);
            if resolved.get("enum").is_some() {
                *property = resolved;
            }
        }
        whole
    }

    fn resolve(&self, schema: &Value) -> Value {
        let name = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next());
        name.map_or(schema.clone(), |name| self.canonical["components"]["schemas"][name].clone())
    }

    /// Take over every schema that is referred to from here.
    fn collect(&mut self, from: &Value) {
        match from {
            Value::Object(object) => {
                if let Some(name) = object.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next()) {
                    let schema = &self.canonical["components"]["schemas"][name];
                    if !self.schemas.contains_key(name) && !schema.is_null() {
                        self.schemas.insert(name.to_owned(), schema.clone());
                        self.collect(&schema.clone());
                    }
                }
                object.values().for_each(|value| self.collect(value));
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            _ => {}
        }
    }
}

/// The values of an enumeration, or of a list of such, in the words of `/v1`.
fn words_out(words: Words, schema: &mut Value) {
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        let mut seen = BTreeSet::new();
        values.retain_mut(|value| {
            let word = word_out(words, value.as_str().unwrap_or_default()).to_owned();
            *value = json!(word);
            seen.insert(word)
        });
    }
    if let Some(items) = schema.get_mut("items") {
        words_out(words, items);
    }
}

fn content_is_optional(schema: &Value, schemas: &Map<String, Value>) -> bool {
    let name = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()).unwrap_or_default();
    schemas.get(name).is_some_and(|s| s["required"].as_array().is_none_or(Vec::is_empty))
}

fn describe(row: &Row, target: &Canonical) -> String {
    let mut text = target.operation["description"].as_str().unwrap_or_default().trim().to_owned();
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    text + &match row.kind {
        Kind::Replace { .. } => {
            format!("Like {} {}: fields that are as they were, or left out, stay.", target.method, target.path)
        }
        _ => format!("Like {} {}.", target.method, target.path),
    }
}
