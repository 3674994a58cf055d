//! Parts that the descriptions of all endpoints share: path parameters and refusals.
use std::collections::BTreeMap;

use quadrille_store::ChatStatus;
use utoipa::{
    IntoParams, IntoResponses, PartialSchema, ToSchema,
    openapi::{
        Content, Object, OpenApi, Ref, RefOr, Required, Response, Schema, Type,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        schema::{KnownFormat, SchemaFormat},
    },
};

use super::{envelope::EnvelopeBody, files::SentFile, forms, work::Worker};
use crate::CONVERSATIONS;

#[derive(utoipa::OpenApi)]
#[openapi(tags(
    (name = "chats", description = "Run steps on the files of a chat"),
    (name = "bot", description = "Describe a task in plain words"),
    (name = "work", description = "Execute external steps"),
    (name = "tables", description = "Run one operation on a file in the request"),
))]
pub(super) struct WorkflowsApi;

/// Path parameters.
const PARAMETERS: [(&str, &str); 6] = [
    ("chat", "the chat"),
    ("run", "the `job_id` of a run of the chat"),
    ("job", "the `job_id` of a run of the chat"),
    ("step", "the `step_id` that came with the claim"),
    ("name", "the name of the file"),
    ("file", "the name of the file"),
];

/// Statuses of refusals, and their reasons.
const REFUSALS: [(&str, &str); 13] = [
    ("400", "The path or the file is invalid"),
    ("401", "The token is missing or rejected"),
    ("403", "The token does not grant this, or the origin is not allowed"),
    ("404", "Not found, or not yours"),
    ("408", "The body arrived too slowly"),
    ("409", "The claim is no longer valid, or the key was used for another request"),
    ("413", "The body or a file in it is too large"),
    ("415", "The media type of the body is not JSON"),
    ("422", "The request is invalid; `message` says why"),
    ("429", "Too many requests or bad tokens; Retry-After says when to try again"),
    ("500", "Internal error; the log of the server has the cause"),
    ("503", "Overloaded, or the database is busy; Retry-After says when to try again"),
    ("507", "The disk is full"),
];

/// Refusals of endpoints that read a token.
const TOKEN: [&str; 6] = ["400", "401", "403", "429", "500", "503"];

/// Refusals of paths with parameters.
const MISSING: [&str; 1] = ["404"];

/// Refusals of endpoints that read a claim.
const CLAIM: [&str; 2] = ["409", "422"];

/// Refusals of endpoints that read an idempotency key.
const KEY: [&str; 2] = ["409", "422"];

/// Refusals of endpoints that read a body.
const BODY: [&str; 3] = ["408", "413", "422"];

/// Refusals of endpoints that read JSON.
const MEDIA: [&str; 1] = ["415"];

/// Refusals of endpoints that store something.
const STORED: [&str; 1] = ["507"];

/// Refusals that may also be problem documents, sent before the endpoint is reached: bad `Host`,
/// foreign origin, too many connections.
const PROBLEMS: [&str; 4] = ["400", "403", "429", "503"];

const JSON: &str = "application/json";

/// Adds path parameters, forms and refusals to each operation.
pub(super) fn complete(api: &mut OpenApi) {
    let shared = REFUSALS.map(|(status, reason)| (name(status), refusal(status, reason).into()));
    api.components.get_or_insert_default().responses.extend(shared);
    for (path, item) in &mut api.paths.paths {
        let named =
            PARAMETERS.into_iter().filter(|(name, _)| path.contains(&format!("{{{name}}}")));
        let named: Vec<_> = named
            .map(|(name, what)| text(name, ParameterIn::Path, what).required(Required::True))
            .map(|parameter| RefOr::T(parameter.build()))
            .collect();
        if let Some(operation) = &mut item.post {
            forms::describe(path, operation);
            refuse(operation, &STORED);
        }
        for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten() {
            let asks_for_token = operation.security.is_none();
            if asks_for_token {
                refuse(operation, &TOKEN);
            }
            if !named.is_empty() {
                refuse(operation, &MISSING);
            }
            let takes_key =
                operation.parameters.iter().flatten().any(
                    |parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == "Idempotency-Key"),
                );
            if takes_key {
                refuse(operation, &KEY);
            }
            if path.contains("{step}") {
                refuse(operation, &CLAIM);
            }
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                if path == CONVERSATIONS {
                    body.required = None;
                }
                let is_json = body.content.contains_key(JSON);
                refuse(operation, &BODY);
                refuse(operation, if is_json { &MEDIA } else { &[] });
            }
        }
        item.parameters = (!named.is_empty()).then_some(named);
    }
}

/// Name of a refusal among the shared responses.
fn name(status: &str) -> String {
    format!("Workflows{status}")
}

fn refusal(status: &str, reason: &str) -> Response {
    let of = |schema: &str| Content::new(Some(Ref::from_schema_name(schema)));
    let mut response = Response::new(reason);
    response.content.insert(JSON.to_owned(), of(&EnvelopeBody::name()).into());
    if PROBLEMS.contains(&status) {
        response.content.insert("application/problem+json".to_owned(), of("Problem").into());
    }
    response
}

fn refuse(operation: &mut Operation, statuses: &[&str]) {
    for status in statuses {
        let responses = &mut operation.responses.responses;
        let refusal = || Ref::from_response_name(name(status)).into();
        responses.entry((*status).to_owned()).or_insert_with(refusal);
    }
}

fn text(name: &str, place: ParameterIn, what: &str) -> ParameterBuilder {
    let text = Object::with_type(Type::String);
    let parameter = ParameterBuilder::new().name(name).parameter_in(place);
    parameter.description(Some(what)).schema(Some(text))
}

/// Describes the header `Idempotency-Key`.
pub(super) fn key(max: usize) -> Parameter {
    let mut key = Object::with_type(Type::String);
    (key.min_length, key.max_length) = (Some(1), Some(max));
    key.pattern = Some(r#"^(?!""$)[!-~][ -~]*$"#.to_owned());
    let what = "a repeated request with the same key and content is answered with the run that it \
                started; with other content it is refused with 409";
    text("Idempotency-Key", ParameterIn::Header, what).schema(Some(key)).build()
}

fn formatted(format: KnownFormat) -> Object {
    let mut text = Object::with_type(Type::String);
    text.format = Some(SchemaFormat::KnownFormat(format));
    text
}

/// Query parameter for the status of a chat.
pub(super) struct StatusParameter;

impl PartialSchema for StatusParameter {
    fn schema() -> RefOr<Schema> {
        let words = ChatStatus::ALL.iter().map(|status| status.word().into()).collect();
        let mut schema = Object::with_type(Type::String);
        schema.enum_values = Some(words);
        Schema::Object(schema).into()
    }
}

impl ToSchema for StatusParameter {}

impl IntoParams for SentFile<'_> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let range = text("Range", ParameterIn::Header, "the requested part, as `bytes=0-99`");
        let known = text("If-None-Match", ParameterIn::Header, "the `ETag` that the client has");
        vec![range.build(), known.build()]
    }
}

impl IntoResponses for SentFile<'_> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let described = |status: &str, what: &str| (status.to_owned(), Response::new(what));
        let mut responses = [
            described("200", "The file"),
            described("206", "The part of it that `Range` asks for"),
            described("304", "The client has the current file"),
            described("416", "The file has no such part"),
        ];
        let bytes = formatted(KnownFormat::Binary);
        for (_, response) in &mut responses[..2] {
            response.content.insert("*/*".to_owned(), Content::new(Some(bytes.clone())).into());
        }
        responses.map(|(status, response)| (status, response.into())).into()
    }
}

impl IntoParams for Worker {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let claim = text("X-Claim", ParameterIn::Header, "the `claim` that came with the step");
        let claim = claim.schema(Some(formatted(KnownFormat::Uuid)));
        vec![claim.required(Required::True).build()]
    }
}
