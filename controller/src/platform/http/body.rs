//! Bodies and queries: every problem is told with its field, all at once where that is possible.

use crate::error::{Error, Problem, Result};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use garde::Validate;
use serde::de::DeserializeOwned;

/// No JSON body of the API is larger.
pub const MAX_BODY: usize = 1024 * 1024;

/// A JSON body: unknown fields are refused by name, rules of the type are checked.
pub struct Body<T>(pub T);

impl<T, S> FromRequest<S> for Body<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let bytes = read(request).await?;
        let value: T = parse(&bytes)?;
        validate(&value)?;
        Ok(Self(value))
    }
}

/// The raw bytes of a JSON body.
pub async fn read(request: Request) -> Result<axum::body::Bytes> {
    axum::body::to_bytes(request.into_body(), MAX_BODY)
        .await
        .map_err(|_| Error::field("body", "max_length", format!("The body is larger than {MAX_BODY} bytes.")))
}

/// Parse JSON; an empty body counts as `{}`.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        malformed(&path, error.inner())
    })?;
    deserializer.end().map_err(|error| malformed(".", &error))?;
    Ok(value)
}

fn malformed(path: &str, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    if !error.is_data() {
        return Error::field("body", "json", format!("The body is not valid JSON: {error}."));
    }
    let named = text.split('`').nth(1);
    match named {
        Some(field) if text.starts_with("unknown field") => {
            let field = join(path, field);
            Error::field(&field, "unknown_field", format!("There is no field '{field}'; leave it out."))
        }
        Some(field) if text.starts_with("missing field") => {
            let field = join(path, field);
            Error::field(&field, "required", format!("The field '{field}' is required."))
        }
        _ => {
            let field = if path == "." { "body" } else { path };
            Error::field(field, "type", format!("The field '{field}' cannot be read: {text}."))
        }
    }
}

/// `path` already ends in the field where serde knows it.
fn join(path: &str, field: &str) -> String {
    match path {
        "." | "?" => field.to_owned(),
        path if path == field || path.ends_with(&format!(".{field}")) => path.to_owned(),
        path => format!("{path}.{field}"),
    }
}

/// Check the rules of a type.
pub fn validate<T: Validate<Context = ()>>(value: &T) -> Result<()> {
    let report = match value.validate() {
        Ok(()) => return Ok(()),
        Err(report) => report,
    };
    let problems = report
        .iter()
        .map(|(path, error)| {
            let field = path.to_string();
            let rule = error.message();
            Problem { constraint: constraint_of(rule).into(), message: format!("{field}: {rule}."), field }
        })
        .collect();
    Err(Error::Invalid(problems))
}

fn constraint_of(rule: &str) -> &'static str {
    const WORDS: [(&str, &str); 8] = [
        ("length is lower", "min_length"),
        ("length is greater", "max_length"),
        ("lower than", "min"),
        ("greater than", "max"),
        ("not a valid email", "email"),
        ("does not match", "pattern"),
        ("not ascii", "ascii"),
        ("must be", "pattern"),
    ];
    WORDS.iter().find(|(text, _)| rule.contains(text)).map_or("invalid", |(_, word)| word)
}

/// Parameters of the path; what cannot be one is told like any other wrong field.
pub struct Path<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(path) => Ok(Self(path.0)),
            Err(_) => Err(Error::field("id", "uuid", "The id in the path is not a UUID; take it as a list gives it.")),
        }
    }
}

/// A query string, with the same rules.
pub struct Params<T>(pub T);

impl<T, S> FromRequestParts<S> for Params<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let query = parts.uri.query().unwrap_or_default();
        let value: T = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(form_pairs(query)))
            .map_err(|error| {
                let path = error.path().to_string();
                Error::field(&path, "type", format!("The parameter '{path}' cannot be read: {}.", error.inner()))
            })?;
        validate(&value)?;
        Ok(Self(value))
    }
}

fn form_pairs(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[garde(length(chars, min = 3, max = 64))]
        name: String,
        #[garde(range(min = 1))]
        #[serde(default = "one")]
        count: u32,
    }

    fn one() -> u32 {
        1
    }

    fn problem(json: &str) -> (String, String) {
        let error = parse::<Sample>(json.as_bytes()).and_then(|s| validate(&s).map(|()| s)).unwrap_err();
        let Error::Invalid(problems) = error else { panic!("{error:?}") };
        (problems[0].field.clone(), problems[0].constraint.clone())
    }

    #[test]
    fn each_problem_names_its_field() {
        assert_eq!(problem(r#"{"name":"ab"}"#), ("name".into(), "min_length".into()));
        assert_eq!(problem(r#"{"name":"abc","count":0}"#), ("count".into(), "min".into()));
        assert_eq!(problem(r#"{"name":"abc","colour":1}"#), ("colour".into(), "unknown_field".into()));
        assert_eq!(problem(r#"{}"#), ("name".into(), "required".into()));
        assert_eq!(problem(r#"{"name":7}"#), ("name".into(), "type".into()));
        assert_eq!(problem(r#"{"name""#), ("body".into(), "json".into()));
    }
}
