//! What the descriptions of all doors have in common: what paths name, and how doors refuse.
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

use super::{bot, envelope::Answer, files::Sent, forms, work::Worker};

#[derive(utoipa::OpenApi)]
#[openapi(tags(
    (name = "chats", description = "Run steps on the files of a chat"),
    (name = "bot", description = "Say what is to be done to a file"),
    (name = "work", description = "Do steps elsewhere"),
    (name = "tables", description = "Do one operation on a file that comes with the request"),
))]
pub(super) struct Document;

/// What paths name.
const NAMED: [(&str, &str); 6] = [
    ("chat", "the chat"),
    ("run", "the `job_id` of a run of the chat"),
    ("job", "the `job_id` of a run of the chat"),
    ("step", "the `step_id` that came with the claim"),
    ("name", "the name of the file"),
    ("file", "the name of the file"),
];

type Refusal = (&'static str, &'static str);

/// Wherever a token is looked at.
const ALL: [Refusal; 6] = [
    ("400", "The address or the file cannot be used"),
    ("401", "A token is needed, or this one is not accepted"),
    ("403", "The token does not grant this, or the page is from elsewhere"),
    ("429", "Too many requests or bad tokens; Retry-After says when to come back"),
    ("500", "The server failed; its log has the cause"),
    ("503", "Too much is waiting, or the database is busy; Retry-After says when to come back"),
];

/// Wherever a path names something.
const GONE: [Refusal; 1] = [("404", "There is none, or it is not yours")];

/// Wherever a claim is shown.
const CLAIM: [Refusal; 2] = [("409", "The claim does not hold any more"), INVALID];

/// Wherever a body is read.
const BODY: [Refusal; 3] =
    [("408", "The body took too long"), ("413", "The body or a file in it is too large"), INVALID];

const INVALID: Refusal = ("422", "What was sent cannot be used; `message` says why");

const MEDIA: [Refusal; 1] = [("415", "The body does not say that it is JSON")];

/// Wherever something is stored.
const STORED: [Refusal; 1] = [("507", "There is no room left to store it")];

const JSON: &str = "application/json";

/// Say of each operation what is in its path and its form, and how it refuses.
pub(super) fn complete(api: &mut OpenApi) {
    for (path, item) in &mut api.paths.paths {
        let named = NAMED.into_iter().filter(|(name, _)| path.contains(&format!("{{{name}}}")));
        let named: Vec<_> = named
            .map(|(name, what)| text(name, ParameterIn::Path, what).required(Required::True))
            .map(|it| RefOr::T(it.build()))
            .collect();
        if let Some(operation) = &mut item.post {
            forms::describe(path, operation);
            refuse(operation, &STORED);
        }
        for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten() {
            let is_for_all = operation.security.is_some();
            if !is_for_all {
                refuse(operation, &ALL);
            }
            if !named.is_empty() {
                refuse(operation, &GONE);
            }
            if path.contains("{step}") {
                refuse(operation, &CLAIM);
            }
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                if path == bot::BEGIN {
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

fn refuse(operation: &mut Operation, refusals: &[Refusal]) {
    for (status, why) in refusals {
        let responses = &mut operation.responses.responses;
        responses.entry((*status).to_owned()).or_insert_with(|| {
            let mut response = Response::new(*why);
            let answer = Content::new(Some(Ref::from_schema_name(Answer::name())));
            response.content.insert(JSON.to_owned(), answer.into());
            response.into()
        });
    }
}

fn text(name: &str, place: ParameterIn, what: &str) -> ParameterBuilder {
    let text = Object::with_type(Type::String);
    let parameter = ParameterBuilder::new().name(name).parameter_in(place);
    parameter.description(Some(what)).schema(Some(text))
}

fn formatted(format: KnownFormat) -> Object {
    let mut text = Object::with_type(Type::String);
    text.format = Some(SchemaFormat::KnownFormat(format));
    text
}

/// The words for how a chat is.
pub(super) struct Status;

impl PartialSchema for Status {
    fn schema() -> RefOr<Schema> {
        let words = ChatStatus::ALL.iter().map(|it| it.word().into()).collect();
        let mut schema = Object::with_type(Type::String);
        schema.enum_values = Some(words);
        Schema::Object(schema).into()
    }
}

impl ToSchema for Status {}

impl IntoParams for Sent<'_> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let range = text("Range", ParameterIn::Header, "the part that is wanted, as `bytes=0-99`");
        let known = text("If-None-Match", ParameterIn::Header, "the `ETag` that is there already");
        vec![range.build(), known.build()]
    }
}

impl IntoResponses for Sent<'_> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let described = |status: &str, what: &str| (status.to_owned(), Response::new(what));
        let mut responses = [
            described("200", "The file"),
            described("206", "The part of it that `Range` asks for"),
            described("304", "It is the one that is there already"),
            described("416", "There is no such part of it"),
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
