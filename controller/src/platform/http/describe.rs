//! What every operation of a kind takes and answers, written into the document in one place: the header that names the
//! organization, `Idempotency-Key` on POST, `If-Match` where versions are compared, and the refusals that come with them.

use crate::platform::http::guard::Requirement;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder};

/// Add what is not written beside the handler.
pub fn complete(requirement: Requirement, method: &HttpMethod, operation: &mut Operation) {
    let in_organization = matches!(requirement, Requirement::Owner | Requirement::Permission(_));
    let mut answers = vec![("429", "Too many requests; Retry-After says when to try again.")];
    if requirement != Requirement::Public {
        answers.push(("401", "No credentials, or none that can be read."));
        answers.push(("403", "The credentials do not allow this, or have been revoked or have expired."));
    }
    if in_organization {
        parameter(operation, "X-Org-Slug", "Slug or id of the organization; needed by who is in several.", None);
        answers.push(("404", "There is no such organization, or it is not visible with these credentials."));
    }
    let takes_json = operation.request_body.as_ref().map(|body| match body {
        RefOr::T(body) => body.content.contains_key("application/json"),
        RefOr::Ref(_) => true,
    });
    if *method == HttpMethod::Post && requirement != Requirement::Public && takes_json != Some(false) {
        let text = "Repeated within 24 hours, the first answer is given again and nothing is done twice.";
        parameter(operation, "Idempotency-Key", text, Some(255));
        answers.push(("409", "The first request with this Idempotency-Key is still under way."));
        answers.push(("422", "The Idempotency-Key was used with another request."));
    }
    if operation.responses.responses.contains_key("412") {
        let text = "The ETag that the object was read with: the change is refused when somebody else was faster.";
        parameter(operation, "If-Match", text, None);
    }
    if takes_json == Some(true) {
        answers.push(("415", "The body is not JSON."));
    }
    if operation.request_body.is_some() || operation.parameters.as_ref().is_some_and(|p| !p.is_empty()) {
        answers.push(("400", "A field or a parameter is wrong; `errors` names each of them."));
    }
    answers.push(("503", "It cannot be done now; Retry-After says when to try again."));
    streams(operation);
    for (status, text) in answers {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(refusal(status, text)));
    }
}

/// Every stream is given as events or as plain lines, as the request asks. What is told of the former is one event.
fn streams(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        let Some(lines) = response.content.get("text/event-stream").cloned() else { continue };
        let field = |text: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(text)).build();
        let event = ObjectBuilder::new()
            .property("id", field("Where to go on from, as Last-Event-ID; not every event has one."))
            .property("event", field("Its type."))
            .property("data", field("JSON, as text."))
            .required("event")
            .required("data")
            .build();
        response.content.insert("text/event-stream".into(), RefOr::T(Content::new(Some(event))));
        response.content.entry("text/plain".into()).or_insert(lines);
    }
}

/// A body whose fields may all be left out may be left out itself.
pub fn bodies(document: &mut OpenApi) {
    let schemas = document.components.as_ref().map(|c| c.schemas.clone()).unwrap_or_default();
    let optional = |schema: &RefOr<Schema>| {
        let schema = match schema {
            RefOr::Ref(reference) => schemas.get(reference.ref_location.rsplit('/').next().unwrap_or_default()),
            own => Some(own),
        };
        matches!(schema, Some(RefOr::T(Schema::Object(object))) if object.required.is_empty())
    };
    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations_mut(item) {
            let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
            let json = body.content.get("application/json");
            let schema = json.and_then(|content| match content {
                RefOr::T(content) => content.schema.as_ref(),
                RefOr::Ref(_) => None,
            });
            if schema.is_some_and(optional) {
                body.required = Some(Required::False);
            }
        }
    }
}

/// An answer that nobody described is described by its status.
pub fn meanings(document: &mut OpenApi) {
    let operations = document.paths.paths.values_mut().flat_map(operations_mut);
    for (status, answer) in operations.flat_map(|(_, operation)| operation.responses.responses.iter_mut()) {
        if let RefOr::T(response) = answer
            && response.description.is_empty()
        {
            response.description = usual_meaning(status).to_owned();
        }
    }
}

/// What a status means where an operation has nothing of its own to say.
fn usual_meaning(status: &str) -> &'static str {
    match status {
        "200" => "As asked.",
        "201" => "Made.",
        "202" => "A job has begun; the answer says where to watch it.",
        "204" => "Done.",
        "400" => "A field is wrong; the body names each with what to do.",
        "401" => "No credentials, or none that can be read.",
        "403" => "The credentials do not allow this, or have been revoked or have expired.",
        "404" => "There is no such object, or it is not visible with these credentials.",
        "409" => "It does not go together with what is there; the message says what.",
        "412" => "The object has changed since (If-Match); read it again.",
        "422" => "Understood, but it cannot be done as things are.",
        "429" => "Too many requests; Retry-After says when to try again.",
        "502" => "The server's agent answered with an error.",
        "503" => "Not now; Retry-After says when to try again.",
        _ => "See the description.",
    }
}

/// The operations of a path, each with its method.
pub fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Delete, &mut item.delete),
        (HttpMethod::Patch, &mut item.patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

fn parameter(operation: &mut Operation, name: &str, text: &str, longest: Option<usize>) {
    let parameters = operation.parameters.get_or_insert_default();
    let is_there = |p: &RefOr<Parameter>| matches!(p, RefOr::T(p) if p.name.eq_ignore_ascii_case(name));
    if parameters.iter().any(is_there) {
        return;
    }
    let schema = ObjectBuilder::new().schema_type(Type::String).min_length(longest.map(|_| 1)).max_length(longest);
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(text))
        .schema(Some(schema.build()));
    parameters.push(RefOr::T(parameter.build()));
}

fn refusal(status: &str, text: &str) -> Response {
    let content = Content::new(Some(RefOr::Ref(Ref::from_schema_name("ErrorBody"))));
    let mut response = ResponseBuilder::new().description(text).content("application/json", content);
    if status == "429" || status == "503" {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let header =
            HeaderBuilder::new().schema(Some(seconds.build())).description(Some("Seconds until a retry may help."));
        response = response.header("Retry-After", header.build());
    }
    response.build()
}
