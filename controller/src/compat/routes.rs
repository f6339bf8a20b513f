//! Every path of the table: the request in canonical form goes through the router of `/api`, with its authentication,
//! limits and guards, and the answer comes back in the words of `/v1`.

use super::answers::{ERROR_CODE, read, respond};
use super::document::{Canonical, operations, path_parameters};
use super::fields::{names_check, object_in, object_out, unchanged_drop, word_in, words_in};
use super::row::{In, Kind, ORGANIZATION, Row, Source};
use super::v1::TABLE;
use crate::app::App;
use crate::error::{Error, Result};
use crate::platform::http::body::MAX_BODY;
use crate::platform::http::guard::AskOnly;
use crate::platform::http::limit::Counted;
use crate::platform::http::listener::Peer;
use crate::platform::http::{idempotency, surface::Surface};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{OriginalUri, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, any, get, on};
use axum::{Json, Router};
use hyper::upgrade::OnUpgrade;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tower::ServiceExt;

const ORGANIZATION_HEADER: HeaderName = HeaderName::from_static("x-org-slug");
/// What says the same where no header can be sent.
const ORGANIZATION_QUERY: &str = "org";
/// So many objects a list gives at once.
const WHOLE_LIST: usize = 1_000;
/// In the place of a name that must lead nowhere.
const NOTHING: &str = "-";
/// The most that a page of the canonical list has.
const PAGE: &str = "200";

/// The canonical surface, and where its operations are.
pub struct Surfaces {
    app: App,
    api: Router,
    pub operations: BTreeMap<String, Canonical>,
}

/// The routes of `/v1`, over the finished router of `/api` and its document.
pub fn routes(app: &App, api: Router, canonical: &Value) -> Router<App> {
    let own = super::document(canonical);
    let surfaces = Arc::new(Surfaces { app: app.clone(), api, operations: operations(canonical) });
    let mut router = Router::new().route("/v1/openapi.json", get(move || async move { Json(own) }));
    // Health is at the root on both.
    for row in
        TABLE.iter().filter(|row| row.path.starts_with("/v1/") && surfaces.operations.contains_key(row.operation))
    {
        let method = Method::from_bytes(row.method.as_bytes()).ok().and_then(|m| MethodFilter::try_from(m).ok());
        let Some(method) = method else { continue };
        let handler = move |State(surfaces): State<Arc<Surfaces>>, params: RawPathParams, request: Request| async move {
            let call = Call::new(&surfaces, row, &params);
            match call.answer(request).await {
                Ok(response) => response,
                // It speaks of this surface's fields already.
                Err(error) => call.refused_saying(error.into_response(), &[]).await,
            }
        };
        router = router.route(row.path, on(method, handler));
    }
    router.route("/v1/{*rest}", any(unknown)).method_not_allowed_fallback(wrong_method).with_state(surfaces)
}

async fn unknown() -> Response {
    let body = json!({"error": "There is no such endpoint; /v1/openapi.json lists all."});
    (StatusCode::NOT_FOUND, [(ERROR_CODE, "not_found")], Json(body)).into_response()
}

async fn wrong_method() -> Response {
    let refusal = Error::MethodNotAllowed;
    let headers = [(ERROR_CODE, refusal.code().to_owned())];
    (refusal.status(), headers, Json(json!({ "error": refusal.body().error.message }))).into_response()
}

/// One request to one row.
pub struct Call<'a> {
    pub surfaces: &'a Surfaces,
    pub row: &'a Row,
    pub params: HashMap<String, String>,
}

impl<'a> Call<'a> {
    fn new(surfaces: &'a Surfaces, row: &'a Row, params: &RawPathParams) -> Self {
        let params = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { surfaces, row, params }
    }

    async fn answer(&self, request: Request) -> Result<Response> {
        let (mut parts, body) = request.into_parts();
        if let Some(organization) = self.params.get(ORGANIZATION) {
            // What no header can say is no organization's name either.
            let value = HeaderValue::from_str(organization).unwrap_or(HeaderValue::from_static(NOTHING));
            parts.headers.insert(ORGANIZATION_HEADER, value);
        }
        let target = self.operation(self.row.operation)?;
        let asker = Asker::new(&parts);
        match self.row.kind {
            Kind::Stream => {
                let path = self.path(&asker, target, &HashMap::new()).await?;
                let query = asker.query(self.row, &[]);
                let mut inner = asker.request(&target.method, &path, Some(&query), body, true)?;
                if let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() {
                    inner.extensions_mut().insert(upgrade);
                }
                let mut response = self.refused(self.call(inner).await).await;
                self.place(response.headers_mut());
                Ok(response)
            }
            Kind::List if asker.given("limit").is_none() => self.whole_list(&asker, target).await,
            Kind::List => {
                let path = self.path(&asker, target, &HashMap::new()).await?;
                let query = asker.query(self.row, &[]);
                let inner = asker.request("GET", &path, Some(&query), Body::empty(), true)?;
                match self.list(self.call(inner).await).await {
                    Ok((parts, list)) => self.page(&asker, parts, list),
                    Err(refusal) => Ok(refusal),
                }
            }
            Kind::Object | Kind::Replace { .. } => match self.canonical(&asker, target, body).await {
                Ok(inner) => self.translated(&asker, self.call(inner).await).await,
                // Who may not do it at all is told that, and nothing of what is wrong with the request.
                Err(error) => self.guarded(&asker, target).await?.ok_or(error),
            },
        }
    }

    /// The request in canonical form.
    async fn canonical(&self, asker: &Asker, target: &Canonical, body: Body) -> Result<Request> {
        let bytes = to_bytes(body, MAX_BODY)
            .await
            .map_err(|_| Error::field("body", "max_length", format!("The body is larger than {MAX_BODY} bytes.")))?;
        let mut in_path = HashMap::new();
        let bytes = self.body(asker, bytes, &mut in_path).await?;
        let path = self.path(asker, target, &in_path).await?;
        asker.request(&target.method, &path, Some(&asker.query(self.row, &[])), bytes.into(), true)
    }

    /// What the operation's guard has against this caller.
    async fn guarded(&self, asker: &Asker, target: &Canonical) -> Result<Option<Response>> {
        let parts = target.path.split('/').map(|part| if part.starts_with('{') { NOTHING } else { part });
        let path = parts.collect::<Vec<_>>().join("/");
        let mut inner = asker.look(&target.method, &path, None)?;
        inner.extensions_mut().insert(AskOnly);
        let response = self.call(inner).await;
        Ok(if response.status().is_success() { None } else { Some(self.refused(response).await) })
    }

    fn operation(&self, id: &str) -> Result<&'a Canonical> {
        let found = self.surfaces.operations.get(id);
        found.ok_or_else(|| Error::internal(anyhow::anyhow!("the table names {id}, which is no operation")))
    }

    async fn call(&self, request: Request) -> Response {
        match self.surfaces.api.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// The canonical path, its parameters put in.
    async fn path(&self, asker: &Asker, target: &Canonical, in_body: &HashMap<&str, String>) -> Result<String> {
        let mut path = target.path.clone();
        for name in path_parameters(&target.path) {
            let source = self.row.parameters.iter().find(|(canonical, _)| *canonical == name).map(|(_, source)| source);
            let given = |parameter: &str| self.params.get(parameter).cloned().unwrap_or_default();
            let value = match source {
                _ if in_body.contains_key(name) => in_body.get(name).cloned().unwrap_or_default(),
                None => given(name),
                Some(Source::Parameter(parameter)) => given(parameter),
                Some(Source::Fixed(text)) => (*text).to_owned(),
                Some(Source::Word { parameter, words }) => word_in(words, &given(parameter)).to_owned(),
                Some(Source::Name { parameter, list }) => {
                    let found = self.find(asker, list, &given(parameter)).await?;
                    found.ok_or(Error::NotFound("object of that name"))?
                }
            };
            let encoded: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
            path = path.replace(&format!("{{{name}}}"), &encoded.replace('+', "%20"));
        }
        Ok(path)
    }

    /// The id of what a canonical list calls so.
    async fn find(&self, asker: &Asker, list: &str, name: &str) -> Result<Option<String>> {
        let target = self.operation(list)?;
        let response = self.call(asker.look("GET", &target.path, Some(("name", name)))?).await;
        match response.status() {
            status if status.is_success() => {}
            // Nothing can be called so.
            StatusCode::BAD_REQUEST => return Ok(None),
            status if status.is_client_error() => {
                let text = format!("'{name}' cannot be looked up with these credentials.");
                return Err(Error::forbidden("permission_denied", text));
            }
            _ => {
                let message = format!("'{name}' cannot be looked up at the moment; try again.");
                return Err(Error::Unavailable { message, retry_after: 2 });
            }
        }
        let found = read(response.into_body()).await;
        let of_that_name = |object: &&Value| object["name"] == name;
        let id = found["data"].as_array().into_iter().flatten().find(of_that_name).and_then(|o| o["id"].as_str());
        Ok(id.map(str::to_owned))
    }

    /// The body in canonical names. One that is no object goes on as it is: the operation says what is wrong with it.
    async fn body(&self, asker: &Asker, bytes: Bytes, in_path: &mut HashMap<&'a str, String>) -> Result<Bytes> {
        if self.row.sends.is_empty() && !matches!(self.row.kind, Kind::Replace { .. }) {
            return Ok(bytes);
        }
        let given: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        let Ok(Value::Object(mut body)) = serde_json::from_slice(given) else {
            let in_path = self.row.sends.iter().find_map(|step| match step {
                In::Path { v1, .. } => Some(v1),
                _ => None,
            });
            // Without it there is no operation that could say so.
            let missing = in_path.map(|v1| Error::field(v1, "required", format!("The field '{v1}' is required.")));
            return missing.map_or(Ok(bytes), Err);
        };
        if let Kind::Replace { current } = self.row.kind {
            let current = self.current(asker, current).await?;
            unchanged_drop(&mut body, &current);
        }
        names_check(self.row.sends, &body)?;
        for step in self.row.sends {
            match *step {
                In::Find { v1, canonical, list, words } => {
                    let Some(Value::String(name)) = body.remove(v1) else {
                        return Err(Error::field(v1, "required", format!("The field '{v1}' is required: a name.")));
                    };
                    let found = self.find(asker, list, word_in(words, &name)).await?;
                    let id = found.ok_or_else(|| Error::field(v1, "exists", format!("There is no {v1} '{name}'.")))?;
                    body.insert(canonical.into(), Value::String(id));
                }
                In::Path { v1, parameter } => {
                    let Some(Value::String(value)) = body.remove(v1).filter(|value| value != "") else {
                        return Err(Error::field(v1, "required", format!("The field '{v1}' is required.")));
                    };
                    in_path.insert(parameter, value);
                }
                _ => object_in(&[*step], &mut body, self.surfaces.app.clock.now())?,
            }
        }
        Ok(serde_json::to_vec(&body).map_err(Error::internal)?.into())
    }

    /// The object as `/v1` shows it now.
    async fn current(&self, asker: &Asker, operation: &str) -> Result<Map<String, Value>> {
        let target = self.operation(operation)?;
        let path = self.path(asker, target, &HashMap::new()).await?;
        let response = self.call(asker.look("GET", &path, None)?).await;
        if !response.status().is_success() {
            // The change itself will be refused for the same reason, in its own words.
            return Ok(Map::new());
        }
        let Value::Object(mut object) = read(response.into_body()).await else { return Ok(Map::new()) };
        object_out(self.row.answers, &mut object);
        self.complete(asker, &mut object).await?;
        Ok(object)
    }

    /// Put the list in that belongs to the object on this surface.
    pub async fn complete(&self, asker: &Asker, object: &mut Map<String, Value>) -> Result<()> {
        let Some((field, list)) = self.row.also else { return Ok(()) };
        let target = self.operation(list)?;
        let response = self.call(asker.look("GET", &target.path, Some(("limit", PAGE)))?).await;
        let mut list = read(response.into_body()).await;
        object.insert(field.into(), list["data"].take());
        Ok(())
    }

    /// All of a list, up to a limit.
    async fn whole_list(&self, asker: &Asker, target: &Canonical) -> Result<Response> {
        let path = self.path(asker, target, &HashMap::new()).await?;
        let mut collected = Vec::new();
        let mut cursor = asker.given("cursor");
        // The head of the first page: the others were not counted.
        let mut head = None;
        loop {
            let page = target.takes("limit").then_some(("limit", PAGE));
            let next = cursor.as_deref().map(|cursor| ("cursor", cursor));
            let others: Vec<(&str, &str)> = page.into_iter().chain(next).collect();
            let query = asker.query(self.row, &others);
            let inner = asker.request("GET", &path, Some(&query), Body::empty(), head.is_none())?;
            let (parts, mut list) = match self.list(self.call(inner).await).await {
                Ok(found) => found,
                Err(refusal) => return Ok(refusal),
            };
            let parts = head.get_or_insert(parts);
            if let Some(Value::Array(items)) = list.get_mut("data").map(Value::take) {
                collected.extend(items);
            }
            cursor = list.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || collected.len() >= WHOLE_LIST {
                list.insert("data".into(), Value::Array(collected));
                return self.page(asker, parts.clone(), list);
            }
        }
    }

    /// A page of a canonical list, its objects in the words of `/v1`; or the refusal.
    async fn list(&self, response: Response) -> Result<(response::Parts, Map<String, Value>), Response> {
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        let (parts, body) = response.into_parts();
        let Value::Object(mut list) = read(body).await else {
            return Err(Error::internal(anyhow::anyhow!("a list is no object")).into_response());
        };
        for item in list.get_mut("data").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::Object(object) = item {
                object_out(self.row.answers, object);
            }
        }
        Ok((parts, list))
    }

    /// A list with the way to its next page.
    fn page(&self, asker: &Asker, mut parts: response::Parts, list: Map<String, Value>) -> Result<Response> {
        if let Some(cursor) = list.get("next_cursor").and_then(Value::as_str) {
            let query = asker.query(self.row, &[("cursor", cursor)]);
            let path = asker.original.as_ref().map_or(asker.uri.path(), |original| original.path());
            let link = format!("<{path}?{}>; rel=\"next\"", query);
            parts.headers.insert(header::LINK, HeaderValue::from_str(&link).map_err(Error::internal)?);
        }
        Ok(respond(parts, &Value::Object(list)))
    }
}

/// Who asks: what inner requests carry over from the outer one.
pub struct Asker {
    uri: Uri,
    headers: HeaderMap,
    peer: Option<Peer>,
    original: Option<OriginalUri>,
}

impl Asker {
    fn new(parts: &Parts) -> Self {
        Self {
            uri: parts.uri.clone(),
            headers: parts.headers.clone(),
            peer: parts.extensions.get::<Peer>().cloned(),
            original: parts.extensions.get::<OriginalUri>().cloned(),
        }
    }

    /// A canonical request of the same client. The first one is what was asked for; others only look things up.
    fn request(&self, method: &str, path: &str, query: Option<&str>, body: Body, first: bool) -> Result<Request> {
        let text = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        let mut inner = Request::builder().method(method).uri(text).body(body).map_err(Error::internal)?;
        let headers = inner.headers_mut();
        headers.clone_from(&self.headers);
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRANSFER_ENCODING);
        // Compression is the outer router's.
        headers.remove(header::ACCEPT_ENCODING);
        if !first {
            for name in [header::IF_MATCH, header::IF_NONE_MATCH, HeaderName::from_static(idempotency::HEADER)] {
                headers.remove(name);
            }
        }
        let extensions = inner.extensions_mut();
        extensions.insert(Surface::V1);
        if let Some(peer) = &self.peer {
            extensions.insert(peer.clone());
        }
        if let Some(original) = &self.original {
            extensions.insert(original.clone());
        }
        if !first {
            extensions.insert(Counted);
        }
        Ok(inner)
    }

    /// A request that only looks something up, in the organization that the query may name.
    fn look(&self, method: &str, path: &str, parameter: Option<(&str, &str)>) -> Result<Request> {
        let organization = self.given(ORGANIZATION_QUERY);
        let organization = organization.as_deref().map(|text| (ORGANIZATION_QUERY, text));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameter.into_iter().chain(organization))
            .finish();
        self.request(method, path, Some(&query), Body::empty(), false)
    }

    /// A parameter of the query, in the names of `/v1`.
    fn given(&self, name: &str) -> Option<String> {
        let query = self.uri.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The query in canonical names, with others instead of the same.
    fn query(&self, row: &Row, others: &[(&str, &str)]) -> String {
        let mut written = form_urlencoded::Serializer::new(String::new());
        let query = self.uri.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !others.iter().any(|(other, _)| *other == name) {
                let name = word_in(row.query, &name);
                written.append_pair(name, &words_in(row.words(name), &value));
            }
        }
        written.extend_pairs(others);
        written.finish()
    }
}
