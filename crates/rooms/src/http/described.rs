//! The parts that the descriptions of all endpoints share: users, bodies, and refusals.
use utoipa::{
    ToSchema,
    openapi::{
        Content, Object, OpenApi, Ref, RefOr, Required, Response, Type,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem},
    },
};

use super::{bodies, error::RefusalBody};

#[derive(utoipa::OpenApi)]
#[openapi(tags((name = "rooms", description = "Conversations with memory, and their files")))]
pub(super) struct RoomsApi;

/// The refusals, by status.
const REFUSALS: [(&str, &str); 12] = [
    ("400", "A field is missing or cannot be used, or the body cannot be read"),
    ("401", "A token is needed; or `user_id`, if the server does not check tokens"),
    ("403", "The link has expired, or opens no file; or the page is from elsewhere"),
    ("404", "There is none, or it is not yours"),
    ("408", "The body took too long"),
    ("413", "A file or the rest of the body is too large"),
    ("415", "The body is not of a kind that is read here"),
    ("422", "The token is not accepted"),
    ("429", "Too many requests, publications or bad tokens; Retry-After says when to come back"),
    ("500", "Internal error"),
    ("507", "The storage is full"),
    ("503", "The server is busy or full; Retry-After says when to come back"),
];

/// Where a token is read.
const ALL: [&str; 6] = ["400", "401", "422", "429", "500", "503"];

/// Where a conversation or a file is named.
const GONE: [&str; 1] = ["404"];

/// Where a link takes the place of a token.
const LINK: [&str; 1] = ["403"];

/// Where the conversation is named in the body.
const NAMED_IN_BODY: [&str; 2] = ["/messages", "/api/upload_file"];

/// Where a body is read and stored.
const BODY: [&str; 4] = ["408", "413", "415", "507"];

/// Where no token is read.
const OPEN: [&str; 1] = ["429"];

/// Statuses that also come as problem documents, before a request is routed: for a bad `Host`, and
/// at a limit of connections.
const BEFORE: [&str; 4] = ["400", "403", "429", "503"];

/// Adds to each operation its user, its body, and its refusals. The user is a parameter only if the
/// server does not check tokens.
pub(super) fn complete(api: &mut OpenApi, is_open: bool) {
    let shared = REFUSALS.map(|(status, err)| (name(status), refusal(status, err).into()));
    api.components.get_or_insert_default().responses.extend(shared);
    for (path, mut item) in std::mem::take(&mut api.paths.paths) {
        if let Some(operation) = item.post.as_mut().or(item.patch.as_mut()) {
            operation.request_body = bodies::of(&path).map(RefOr::T);
            refuse(operation, &BODY);
        }
        let PathItem { get, post, patch, delete, .. } = &mut item;
        for operation in [get, post, patch, delete].into_iter().flatten() {
            let asks_for_token = operation.security.is_none();
            refuse(operation, if asks_for_token { &ALL } else { &OPEN });
            if path.contains('{') || NAMED_IN_BODY.contains(&&*path) {
                refuse(operation, &GONE);
            }
            if path.starts_with("/files/") {
                refuse(operation, &LINK);
            }
            if asks_for_token && is_open {
                operation.parameters.get_or_insert_default().push(user().into());
            }
        }
        // A key has slashes, which are escaped where it is a part of an address.
        let path = path.replace("{*", "{");
        let named = ["id", "key"].into_iter().find(|param| path.contains(&format!("{{{param}}}")));
        item.parameters = named.map(|param| vec![in_path(param).into()]);
        api.paths.paths.insert(path, item);
    }
}

/// Name of the refusal among all schemas.
fn name(status: &str) -> String {
    format!("Rooms{status}")
}

fn refusal(status: &str, err: &str) -> Response {
    let of = |schema: &str| Content::new(Some(Ref::from_schema_name(schema)));
    let mut response = Response::new(err);
    response.content.insert("application/json".to_owned(), of(&RefusalBody::name()).into());
    if BEFORE.contains(&status) {
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

/// Schema of a user, as topics are named after them.
const USER: &str =
    r"^[^\u0000-\u001f\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$";

fn user() -> Parameter {
    let mut name = Object::with_type(Type::String);
    (name.max_length, name.pattern) = (Some(250), Some(USER.to_owned()));
    let parameter = ParameterBuilder::new().name("user_id").parameter_in(ParameterIn::Query);
    parameter.description(Some("the user")).schema(Some(name)).build()
}

fn in_path(name: &str) -> Parameter {
    let (kind, what) = match name {
        "id" => (Type::Integer, "the conversation"),
        _ => (Type::String, "the file"),
    };
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
    let parameter = parameter.required(Required::True).description(Some(what));
    parameter.schema(Some(Object::with_type(kind))).build()
}
