//! `GET /openapi.json`: the `OpenAPI` 3.1 description of all endpoints, from the code that serves them.
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
        (name = "topics", description = "Publish, subscribe and read topics"),
        (name = "operators", description = "Health, metrics, endpoints and sessions"),
    ),
)]
struct ApiDocument;

/// Path of the description.
pub(crate) const PATH: &str = "/openapi.json";

/// Serves the description of all endpoints, merged from those of the protocols.
pub(crate) fn router(described: OpenApi, mode: Mode) -> Router {
    let mut all = ApiDocument::openapi();
    all.merge(described);
    let text = text(&all, mode);
    let serve = get(async move |request: Request| {
        ([(CONTENT_TYPE, "application/json")], below(&text, request.extensions()))
    });
    Router::new().route(PATH, serve.layer(compress()))
}

/// Problem details (RFC 9457)
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
struct ProblemSchema {
    /// Stable identifier for programs, such as `/problems/bad-topic`
    r#type: String,
    /// Summary for people
    title: String,
    status: u16,
    /// Advice for people
    detail: Option<String>,
}

/// Renders `api` as JSON. Adds the refusals that every endpoint has, and the problem schema to those
/// without a body of their own.
fn text(api: &OpenApi, mode: Mode) -> String {
    let mut api = serde_json::to_value(api).expect("a description is plain data");
    for (path, operations) in api["paths"].as_object_mut().into_iter().flatten() {
        let is_endpoint = !ops::PATHS.contains(&path.as_str()) && path != PATH;
        for operation in operations.as_object_mut().into_iter().flat_map(Map::values_mut) {
            // An operation with its own `security` takes no token.
            let is_endpoint = is_endpoint && operation.get("security").is_none();
            // Keys shared by all operations of a path are no operation.
            if let Some(Value::Object(responses)) = operation.get_mut("responses") {
                explain(responses, is_endpoint);
            }
        }
    }
    api["components"]["securitySchemes"]["token"] =
        json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT"});
    // Optional: in open mode no token is needed.
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
            // The token names the user; the field is ignored.
            Mode::Jwt => *user = json!({"type": ["string", "integer", "null"]}),
        }
    }
    api.to_string()
}

/// Adds the server to `text`, if the gateway is below a path or has a public URL; without one, paths
/// are relative to the host.
fn below(text: &str, extensions: &Extensions) -> String {
    let site = extensions.get::<Site>().cloned().unwrap_or_default();
    let url = site.public.unwrap_or(site.path);
    match text.strip_prefix('{').filter(|_| !url.is_empty()) {
        Some(rest) => format!("{{\"servers\":{},{rest}", json!([{"url": *url}])),
        None => text.to_owned(),
    }
}

/// Refusals of every endpoint.
const REFUSALS: [(&str, &str); 5] = [
    ("400", "The URL or the body is invalid"),
    ("401", "The token is missing or not accepted"),
    ("403", "The token does not grant this, or the origin is not allowed"),
    ("429", "Too many requests or rejected tokens; see Retry-After"),
    ("503", "Tokens cannot be checked at present"),
];

/// Range not satisfiable, which has no body.
const EMPTY: &str = "416";

fn explain(responses: &mut Map<String, Value>, is_endpoint: bool) {
    for (status, description) in REFUSALS.into_iter().filter(|_| is_endpoint) {
        responses.entry(status).or_insert_with(|| json!({"description": description}));
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
