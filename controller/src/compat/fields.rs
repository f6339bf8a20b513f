//! Field maps: what a row does to bodies, and the same to the schemas that describe them.

use super::row::{Filled, In, Out, Words};
use crate::error::{Error, Problem, Result};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rand::distr::{Alphanumeric, SampleString};
use serde_json::{Map, Value, json};

type Object = Map<String, Value>;

/// The canonical word for one of `/v1`; any other stays as it is.
pub fn word_in(words: Words, word: &str) -> &str {
    words.iter().find(|(_, v1)| *v1 == word).map_or(word, |(canonical, _)| canonical)
}

/// Canonical words of a list, `a,b`: a word may stand for several.
pub fn words_in(words: Words, list: &str) -> String {
    let each = list.split(',').map(|word| {
        let several: Vec<&str> = words.iter().filter(|(_, v1)| *v1 == word).map(|(canonical, _)| *canonical).collect();
        if several.is_empty() { word.to_owned() } else { several.join(",") }
    });
    each.collect::<Vec<_>>().join(",")
}

/// The word of `/v1`.
pub fn word_out(words: Words, word: &str) -> &str {
    words.iter().find(|(canonical, _)| *canonical == word).map_or(word, |(_, v1)| v1)
}

/// Translate a string, or each string of a list.
fn words_map(value: &mut Value, map: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = map(text),
        Value::Array(items) => items.iter_mut().for_each(|item| words_map(item, map)),
        _ => {}
    }
}

/// What has another name here is not taken by its canonical one.
pub fn names_check(steps: &[In], body: &Object) -> Result<()> {
    let problems = steps.iter().filter_map(|step| match *step {
        In::Rename { v1, canonical }
        | In::Seconds { v1, canonical }
        | In::Find { v1, canonical, .. }
        | In::Is { v1, canonical, .. }
            if body.contains_key(canonical) =>
        {
            Some(Problem {
                field: canonical.into(),
                constraint: "unknown_field".into(),
                message: format!("There is no field '{canonical}' here; it is called '{v1}'."),
            })
        }
        _ => None,
    });
    let problems: Vec<Problem> = problems.collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
}

/// A body on its way in, with no name that [`names_check`] refuses. `Find` and `Path` are carried out by whoever sends
/// it, before this.
pub fn object_in(steps: &[In], body: &mut Object, now: DateTime<Utc>) -> Result<()> {
    let mut problems = Vec::new();
    for step in steps {
        match *step {
            In::Rename { v1, canonical } => {
                if let Some(value) = body.remove(v1) {
                    body.insert(canonical.into(), value);
                }
            }
            In::Words { canonical, words } => {
                if let Some(value) = body.get_mut(canonical) {
                    words_map(value, &|word| word_in(words, word).to_owned());
                }
            }
            In::Seconds { v1, canonical } => match body.remove(v1) {
                None | Some(Value::Null) => {}
                Some(value) => match until(&value, now) {
                    Some(at) => {
                        body.insert(canonical.into(), json!(at.to_rfc3339_opts(SecondsFormat::Secs, true)));
                    }
                    None => problems.push(Problem {
                        field: v1.into(),
                        constraint: "min".into(),
                        message: format!("{v1} is a whole number of seconds, at least 1."),
                    }),
                },
            },
            In::Default { canonical, value } => {
                let empty = match body.get(canonical) {
                    None | Some(Value::Null) => true,
                    Some(Value::Array(items)) => items.is_empty(),
                    Some(_) => false,
                };
                if empty {
                    let filled = filled(value, body);
                    body.insert(canonical.into(), filled);
                }
            }
            In::Is { v1, canonical, words } => match body.remove(v1) {
                None => {}
                Some(Value::String(word)) if words.contains(&word.as_str()) => {
                    body.insert(canonical.into(), json!(word == words[0]));
                }
                Some(_) => problems.push(Problem {
                    field: v1.into(),
                    constraint: "enum".into(),
                    message: format!("{v1} is '{}' or '{}'.", words[0], words[1]),
                }),
            },
            In::Find { .. } | In::Path { .. } => {}
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
}

fn until(seconds: &Value, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let seconds = seconds.as_i64().filter(|s| *s >= 1)?;
    now.checked_add_signed(TimeDelta::try_seconds(seconds)?)
}

fn filled(value: Filled, body: &Object) -> Value {
    match value {
        Filled::Everything => json!(["*"]),
        Filled::NameOfAddress => {
            let address = body.get("email").and_then(Value::as_str).unwrap_or_default();
            json!(address.trim().split('@').next().unwrap_or_default())
        }
        Filled::Unique(word) => {
            let random = Alphanumeric.sample_string(&mut rand::rng(), 6).to_ascii_lowercase();
            json!(format!("{word}-{random}"))
        }
        Filled::Text(text) => json!(text),
        Filled::True => json!(true),
    }
}

/// An object on its way out.
pub fn object_out(steps: &[Out], object: &mut Object) {
    for step in steps {
        match *step {
            Out::Rename { canonical, v1 } => {
                if let Some(value) = object.remove(canonical) {
                    object.insert(v1.into(), value);
                }
            }
            Out::Hide(field) => {
                object.remove(field);
            }
            Out::Words { field, words } => {
                if let Some(value) = object.get_mut(field) {
                    words_map(value, &|word| word_out(words, word).to_owned());
                }
            }
            Out::Lift(field) => {
                if let Some(Value::Object(inner)) = object.remove(field) {
                    object.extend(inner);
                }
            }
            Out::Pick { object: from, field, v1 } => {
                if let Some(value) = object.get(from).and_then(|inner| inner.get(field)).cloned() {
                    object.insert(v1.into(), value);
                }
            }
        }
    }
}

/// Leave out of a replacement what is as it was, in the names of `/v1`.
pub fn unchanged_drop(body: &mut Object, current: &Object) {
    body.retain(|field, value| current.get(field) != Some(value));
}

/// The canonical names in a sentence, as they are called here.
pub fn message_out(steps: &[In], message: &str) -> String {
    steps.iter().fold(message.to_owned(), |text, step| match *step {
        In::Rename { v1, canonical } | In::Seconds { v1, canonical } | In::Find { v1, canonical, .. } => {
            word_replace(&text, canonical, v1)
        }
        _ => text,
    })
}

fn word_replace(text: &str, from: &str, to: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        let whole = !before.ends_with(is_part) && !after.starts_with(is_part);
        result.push_str(before);
        result.push_str(if whole { to } else { from });
        rest = after;
    }
    result + rest
}

/// The schema of a body, as `/v1` takes it. It is an object's, with everything it refers to put in at the first level.
pub fn schema_in(steps: &[In], schema: &mut Value) {
    // Against the direction of the data: what comes last on the way in is undone first.
    for step in steps.iter().rev() {
        match *step {
            In::Rename { v1, canonical } => rename(schema, canonical, v1),
            In::Words { canonical, words } => words_schema(schema, canonical, words),
            In::Seconds { v1, canonical } => {
                remove(schema, canonical);
                let seconds = json!({
                    "type": ["integer", "null"], "format": "int64", "minimum": 1,
                    "description": "Seconds from now; for ever when left out."
                });
                insert(schema, v1, seconds, false);
            }
            In::Default { canonical, .. } => optional(schema, canonical),
            In::Find { v1, canonical, words, .. } => {
                let required = remove(schema, canonical);
                let known: Vec<&str> = words.iter().map(|(_, v1)| *v1).collect();
                let text = format!("Its name, e.g. `{}`.", known.first().unwrap_or(&"admin"));
                insert(schema, v1, json!({"type": "string", "description": text}), required);
            }
            In::Is { v1, canonical, words } => {
                let required = remove(schema, canonical);
                insert(schema, v1, json!({"type": "string", "enum": words}), required);
            }
            In::Path { v1, .. } => insert(schema, v1, json!({"type": "string"}), true),
        }
    }
}

/// The schema of an object, as `/v1` shows it.
pub fn schema_out(steps: &[Out], schema: &mut Value, inner: &dyn Fn(&Value) -> Value) {
    for step in steps {
        match *step {
            Out::Rename { canonical, v1 } => rename(schema, canonical, v1),
            Out::Hide(field) => {
                remove(schema, field);
            }
            Out::Words { field, words } => words_schema(schema, field, words),
            Out::Lift(field) => {
                let Some(lifted) = schema["properties"].get(field).map(inner) else { continue };
                remove(schema, field);
                let required: Vec<Value> = lifted["required"].as_array().cloned().unwrap_or_default();
                for (name, property) in lifted["properties"].as_object().cloned().unwrap_or_default() {
                    let needed = required.iter().any(|r| r == name.as_str());
                    insert(schema, &name, property, needed);
                }
            }
            Out::Pick { object, field, v1 } => {
                let Some(from) = schema["properties"].get(object).map(inner) else { continue };
                insert(schema, v1, from["properties"][field].clone(), true);
            }
        }
    }
}

fn is_required(schema: &Value, field: &str) -> bool {
    schema["required"].as_array().is_some_and(|list| list.iter().any(|name| name == field))
}

fn optional(schema: &mut Value, field: &str) {
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name != field);
        if required.is_empty() {
            schema.as_object_mut().map(|object| object.remove("required"));
        }
    }
}

/// Take a property away; whether it was required.
fn remove(schema: &mut Value, field: &str) -> bool {
    let required = is_required(schema, field);
    optional(schema, field);
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.remove(field);
    }
    required
}

fn insert(schema: &mut Value, field: &str, property: Value, required: bool) {
    schema["properties"][field] = property;
    if required && !is_required(schema, field) {
        match schema.get_mut("required").and_then(Value::as_array_mut) {
            Some(list) => list.push(json!(field)),
            None => schema["required"] = json!([field]),
        }
    }
}

fn rename(schema: &mut Value, from: &str, to: &str) {
    let Some(property) = schema["properties"].get(from).cloned() else { return };
    let required = remove(schema, from);
    insert(schema, to, property, required);
}

/// A field with other words is described by them, where the canonical one lists its words.
fn words_schema(schema: &mut Value, field: &str, words: Words) {
    let Some(property) = schema.get_mut("properties").and_then(|p| p.get_mut(field)) else { return };
    if let Some(list) = property.get_mut("enum").and_then(Value::as_array_mut) {
        let mut seen = Vec::new();
        for word in list.drain(..) {
            let word = word.as_str().map_or(word.clone(), |w| json!(word_out(words, w)));
            if !seen.contains(&word) {
                seen.push(word);
            }
        }
        *list = seen;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Words = &[("developer", "user"), ("leader", "user")];

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn bodies_are_renamed_filled_and_told_apart() {
        let now = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
        let steps = [
            In::Rename { v1: "node_id", canonical: "server_id" },
            In::Words { canonical: "role", words: WORDS },
            In::Seconds { v1: "expires_in", canonical: "expires_at" },
            In::Default { canonical: "permissions", value: Filled::Everything },
        ];
        let mut body = object(json!({"node_id": "n", "role": "user", "expires_in": 60, "permissions": []}));
        object_in(&steps, &mut body, now).unwrap();
        assert_eq!(
            Value::Object(body),
            json!({"server_id": "n", "role": "developer", "expires_at": "2026-01-01T00:01:00Z", "permissions": ["*"]})
        );
        for field in ["server_id", "expires_at"] {
            let Error::Invalid(problems) = names_check(&steps, &object(json!({field: "n"}))).unwrap_err() else {
                panic!()
            };
            assert_eq!(problems[0].field, field);
        }
        for (wrong, field) in [
            (json!({"expires_in": 0}), "expires_in"),
            (json!({"expires_in": "60"}), "expires_in"),
            (json!({"expires_in": i64::MAX}), "expires_in"),
        ] {
            let Error::Invalid(problems) = object_in(&steps, &mut object(wrong), now).unwrap_err() else { panic!() };
            assert_eq!(problems[0].field, field);
        }
    }

    #[test]
    fn objects_are_renamed_lifted_and_hidden() {
        let steps = [
            Out::Pick { object: "server", field: "id", v1: "node_id" },
            Out::Hide("server"),
            Out::Lift("install"),
            Out::Rename { canonical: "command", v1: "install_command" },
        ];
        let mut made = object(json!({"server": {"id": 7, "x": 1}, "install": {"command": "sh"}}));
        object_out(&steps, &mut made);
        assert_eq!(Value::Object(made), json!({"node_id": 7, "install_command": "sh"}));
    }

    #[test]
    fn messages_speak_of_the_fields_that_were_sent() {
        let steps = [In::Rename { v1: "node_id", canonical: "server_id" }];
        assert_eq!(message_out(&steps, "server_id: not my_server_id."), "node_id: not my_server_id.");
    }
}
