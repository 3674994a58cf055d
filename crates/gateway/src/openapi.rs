//! `GET /openapi.json`: all endpoints described (`OpenAPI` 3.1), from the code that serves them.
use axum::{
    Router,
    extract::Request,
    http::{Extensions, header::CONTENT_TYPE},
    routing::get,
};
use quadrille_edge::http::{Site, compress};
use quadrille_identity::Mode;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::{OpenApi as _, ToSchema, openapi::OpenApi};

use crate::ops;

/// Title, version and licence are those of the package.
#[derive(utoipa::OpenApi)]
#[openapi(
    components(schemas(ProblemSchema)),
    tags(
        (name = "topics", description = "Publish to topics, watch and read them"),
        (name = "operators", description = "What there is, and who is connected"),
    ),
)]
struct ApiDocument;

/// The path of the description.
pub(crate) const PATH: &str = "/openapi.json";

/// Serves the description of all endpoints, of which each protocol described its own.
pub(crate) fn router(described: OpenApi, mode: Mode) -> Router {
    let mut all = ApiDocument::openapi();
    all.merge(described);
    let text = text(&all, mode);
    let serve = get(async move |request: Request| {
        ([(CONTENT_TYPE, "application/json")], below(&text, request.extensions()))
    });
    Router::new().route(PATH, serve.layer(compress()))
}

/// Why a request was refused (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
struct ProblemSchema {
    /// Stable, for programs, such as `/problems/bad-topic`.
    r#type: String,
    /// For people: what is wrong.
    title: String,
    status: u16,
    /// For people: what to do about it.
    detail: Option<String>,
}

/// `api` as JSON. Every refusal is a problem document, but where a protocol has a form of its own,
/// and some are those of every door: they are added here.
fn text(api: &OpenApi, mode: Mode) -> String {
    let mut api = serde_json::to_value(api).expect("a description is plain data");
    for (path, operations) in api["paths"].as_object_mut().into_iter().flatten() {
        let is_door = !ops::PATHS.contains(&path.as_str()) && path != PATH;
        for operation in operations.as_object_mut().into_iter().flat_map(Map::values_mut) {
            // Where it says so itself, nobody looks at a token.
            let is_door = is_door && operation.get("security").is_none();
            // What all operations of a path have in common is none.
            if let Some(Value::Object(responses)) = operation.get_mut("responses") {
                explain(responses, is_door);
            }
        }
    }
    api["components"]["securitySchemes"]["token"] =
        json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT"});
    // One or none: in open mode a token is not needed.
    api["security"] = json!([{"token": []}, {}]);
    let given = |name: &str| json!({"required": [name], "properties": {name: {"type": "string"}}});
    api["components"]["schemas"]["Publication"]["oneOf"] =
        [given("topic"), given("channel")].into();
    if let Some(question) = api["components"]["schemas"].get_mut("Question") {
        question["oneOf"] = [given("message"), given("text")].into();
        let (user, ids) = (&mut question["properties"]["user_id"], json!(["string", "integer"]));
        match mode {
            Mode::Open => {
                user["type"] = ids;
                question["required"] = json!(["user_id"]);
            }
            // The token says who asks, and what is claimed is not looked at.
            Mode::Jwt => *user = json!({"type": ["string", "integer", "null"]}),
        }
    }
    api.to_string()
}

/// `text` for a client of the gateway at a path or an address of its own, if the listener says so:
/// without a server, the paths are those of the host.
fn below(text: &str, extensions: &Extensions) -> String {
    let site = extensions.get::<Site>().cloned().unwrap_or_default();
    let url = site.public.unwrap_or(site.path);
    match text.strip_prefix('{').filter(|_| !url.is_empty()) {
        Some(rest) => format!("{{\"servers\":{},{rest}", json!([{"url": *url}])),
        None => text.to_owned(),
    }
}

/// What every door may answer.
const REFUSALS: [(&str, &str); 5] = [
    ("400", "The address or the body cannot be used"),
    ("401", "A token is needed, or this one is not accepted"),
    ("403", "The token does not grant this, or the page is from elsewhere"),
    ("429", "Too many requests or bad tokens; Retry-After says when to come back"),
    ("503", "Tokens cannot be checked just now"),
];

/// There is no such part of a file, and no body either.
const EMPTY: &str = "416";

fn explain(responses: &mut Map<String, Value>, is_door: bool) {
    for (status, err) in REFUSALS.into_iter().filter(|_| is_door) {
        responses.entry(status).or_insert_with(|| json!({"description": err}));
    }
    responses.sort_keys();
    let told = |status: &str, response: &Value| {
        !status.starts_with(['4', '5'])
            || status == EMPTY
            || ["content", "$ref"].into_iter().any(|key| response.get(key).is_some())
    };
    for (_, response) in responses.iter_mut().filter(|(status, response)| !told(status, response)) {
        let schema = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
        response["content"] = json!({"application/problem+json": schema});
    }
}
