//! PUT and PATCH: what was read may be sent back. Unknown keys are compared with the object's present representation:
//! equal, ignored; different, refused by name.

use crate::error::{Error, Problem, Result};
use crate::platform::http::body;
use axum::extract::{FromRequest, Request};
use garde::Validate;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::marker::PhantomData;

/// The fields that a patch type knows.
pub trait PatchFields: DeserializeOwned + Validate<Context = ()> {
    const FIELDS: &'static [&'static str];
}

/// A body that is read once the present object is known.
pub struct Patch<T> {
    map: Map<String, Value>,
    what: PhantomData<T>,
}

impl<T: PatchFields, S: Send + Sync> FromRequest<S> for Patch<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let bytes = body::read(request).await?;
        Ok(Self { map: body::parse(&bytes)?, what: PhantomData })
    }
}

impl<T: PatchFields> Patch<T> {
    /// The changes, given the object as a GET shows it.
    pub fn read(mut self, present: &impl Serialize) -> Result<T> {
        let present = serde_json::to_value(present).map_err(Error::internal)?;
        let mut problems = Vec::new();
        self.map.retain(|key, value| {
            if T::FIELDS.contains(&key.as_str()) {
                return true;
            }
            match present.get(key) {
                Some(now) if now == value => {}
                Some(_) => problems.push(Problem {
                    field: key.clone(),
                    constraint: "read_only".into(),
                    message: format!("The field '{key}' cannot be changed here."),
                }),
                None => problems.push(Problem {
                    field: key.clone(),
                    constraint: "unknown_field".into(),
                    message: format!("There is no field '{key}'; leave it out."),
                }),
            }
            false
        });
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        let bytes = serde_json::to_vec(&self.map).map_err(Error::internal)?;
        let changes: T = body::parse(&bytes)?;
        body::validate(&changes)?;
        Ok(changes)
    }
}

/// For fields that null empties: tells null from absent (`#[serde(default, deserialize_with = "present")]`).
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    struct Change {
        #[garde(inner(length(min = 3)))]
        name: Option<String>,
    }
    impl PatchFields for Change {
        const FIELDS: &'static [&'static str] = &["name"];
    }

    fn read(body: Value) -> Result<Change> {
        let Value::Object(map) = body else { panic!("an object") };
        Patch { map, what: PhantomData }.read(&json!({"id": 7, "name": "old", "status": "online"}))
    }

    #[test]
    fn get_edit_put_works_and_a_changed_read_only_field_is_named() {
        assert_eq!(read(json!({"id": 7, "name": "new", "status": "online"})).unwrap().name.unwrap(), "new");
        let Error::Invalid(problems) = read(json!({"status": "offline", "colour": 1})).unwrap_err() else { panic!() };
        let found: Vec<_> = problems.iter().map(|p| (p.field.as_str(), p.constraint.as_str())).collect();
        assert!(found.contains(&("status", "read_only")) && found.contains(&("colour", "unknown_field")), "{found:?}");
    }
}
