//! Bodies and queries: every problem is told with its field, all at once where that is possible.

use crate::error::{Error, Problem, Result};
use crate::platform::http::json;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use garde::Validate;
use http_body::Body as _;
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
    read_up_to(request, MAX_BODY).await
}

/// The same, where more may come. What says that it is something else, or that it is too large, is not read at all.
pub async fn read_up_to(request: Request, most: usize) -> Result<axum::body::Bytes> {
    let too_large = || Error::field("body", "max_length", format!("The body is larger than {most} bytes."));
    let size = request.body().size_hint();
    if size.lower() > most as u64 {
        return Err(too_large());
    }
    // Without a body its type does not matter.
    if size.exact() != Some(0) && !is_json(request.headers()) {
        return Err(Error::UnsupportedMediaType { takes: "JSON", kind: "application/json" });
    }
    axum::body::to_bytes(request.into_body(), most).await.map_err(|_| too_large())
}

/// A form that a page of another site sends without asking is no JSON. What says nothing is taken for JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(value) = values.next() else { return true };
    let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    values.next().is_none()
        && (kind == "application/json" || kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Parse JSON; an empty body counts as `{}`.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    json::check(bytes)?;
    // Serde would take a list for an object's fields in their order.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Error::field("body", "type", "The body is a JSON object, not a list."));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        malformed(&path, error.inner())
    })
}

fn malformed(path: &str, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
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
    validate_as(value, |path| path)
}

fn validate_as<T: Validate<Context = ()>>(value: &T, field_of: impl Fn(String) -> String) -> Result<()> {
    let report = match value.validate() {
        Ok(()) => return Ok(()),
        Err(report) => report,
    };
    let problems = report
        .iter()
        .map(|(path, error)| {
            let field = field_of(path.to_string());
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
        if let Ok(given) = RawPathParams::from_request_parts(parts, state).await {
            let wrong: Vec<_> =
                given.iter().filter(|(_, v)| !json::is_storable(v)).map(|(name, _)| json::unstorable(name)).collect();
            if !wrong.is_empty() {
                return Err(Error::Invalid(wrong));
            }
        }
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
        let unstorable: Vec<_> =
            form_pairs(query).filter(|(_, v)| !json::is_storable(v)).map(|(name, _)| json::unstorable(&name)).collect();
        if !unstorable.is_empty() {
            return Err(Error::Invalid(unstorable));
        }
        let value: T = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(form_pairs(query)))
            .map_err(|error| {
                let path = error.path().to_string();
                Error::field(&path, "type", format!("The parameter '{path}' cannot be read: {}.", error.inner()))
            })?;
        // A query is flat, whatever the type that reads it: `page.limit` is the parameter `limit`.
        validate_as(&value, |path| path.rsplit('.').next().unwrap_or_default().to_owned())?;
        Ok(Self(value))
    }
}

fn form_pairs(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::http::Page;
    use axum::body::Body as Content;
    use axum::http::Request as HttpRequest;
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

    #[test]
    fn a_list_is_no_object_although_every_field_may_be_left_out() {
        #[derive(Debug, Deserialize)]
        struct Optional {
            #[allow(dead_code)]
            name: Option<String>,
        }
        for body in ["[]", " [null]", "\n[null, null]"] {
            let Error::Invalid(problems) = parse::<Optional>(body.as_bytes()).unwrap_err() else { panic!("{body}") };
            assert_eq!((problems[0].field.as_str(), problems[0].constraint.as_str()), ("body", "type"));
        }
        assert!(parse::<Optional>(b"").unwrap().name.is_none());
    }

    async fn read_as(kind: &[&str], body: impl Into<Content>) -> Result<usize> {
        let mut request = HttpRequest::builder().method("POST").uri("/");
        for value in kind {
            request = request.header("content-type", *value);
        }
        read(request.body(body.into()).unwrap()).await.map(|bytes| bytes.len())
    }

    #[tokio::test]
    async fn only_json_is_read() {
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/problem+json"] {
            assert_eq!(read_as(&[good], "{}").await.unwrap(), 2, "{good}");
        }
        assert_eq!(read_as(&[], "{}").await.unwrap(), 2);
        assert_eq!(read_as(&["text/plain"], "").await.unwrap(), 0, "there is nothing to read");
        for bad in [
            &["text/plain"][..],
            &["application/x-www-form-urlencoded"],
            &["multipart/form-data; boundary=x"],
            &["text/plain; application/json"],
            &["application/jsonx"],
            &[""],
            &["application/json", "text/plain"],
        ] {
            assert!(matches!(read_as(bad, "{}").await, Err(Error::UnsupportedMediaType { .. })), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_large_body_is_refused_by_its_length_and_by_its_end() {
        let large = |result: Result<usize>| {
            let Err(Error::Invalid(problems)) = result else { panic!("it was read") };
            assert_eq!(problems[0].constraint, "max_length");
        };
        large(read_as(&[], vec![b' '; MAX_BODY + 1]).await);
        assert_eq!(read_as(&[], vec![b' '; MAX_BODY]).await.unwrap(), MAX_BODY);
        // Its length is not known: reading stops soon after the limit, though it never ends.
        let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = sent.clone();
        let endless = futures::stream::repeat_with(move || {
            counted.fetch_add(64 * 1024, std::sync::atomic::Ordering::Relaxed);
            Ok::<_, std::io::Error>(bytes::Bytes::from(vec![b' '; 64 * 1024]))
        });
        large(read_as(&[], Content::from_stream(endless)).await);
        assert!(sent.load(std::sync::atomic::Ordering::Relaxed) <= 2 * MAX_BODY);
    }

    #[derive(Debug, Deserialize, Validate)]
    struct Listed {
        #[garde(inner(length(chars, max = 5)))]
        name: Option<String>,
        #[garde(dive)]
        #[serde(flatten)]
        page: Page,
    }

    #[tokio::test]
    async fn parameters_are_named_as_they_are_written() {
        let problem = async |query: &str| {
            let (mut parts, ()) = HttpRequest::builder().uri(format!("/?{query}")).body(()).unwrap().into_parts();
            match Params::<Listed>::from_request_parts(&mut parts, &()).await {
                Err(Error::Invalid(problems)) => (problems[0].field.clone(), problems[0].constraint.clone()),
                Ok(Params(read)) => (format!("{:?} {:?}", read.name, read.page.limit), String::new()),
                Err(other) => panic!("{other:?}"),
            }
        };
        let told = |field: &str, constraint: &str| (field.to_owned(), constraint.to_owned());
        assert_eq!(problem("name=abc&limit=7").await, told("Some(\"abc\") Some(7)", ""));
        assert_eq!(problem("limit=0").await, told("limit", "min"));
        assert_eq!(problem("limit=99999999999999999999").await.1, "type");
        assert_eq!(problem("name=toolong").await, told("name", "max_length"));
        assert_eq!(problem("name=%00").await, told("name", "characters"));
        assert_eq!(problem("cursor=a%00").await, told("cursor", "characters"));
    }
}
