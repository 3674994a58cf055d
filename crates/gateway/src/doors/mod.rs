//! Doors over HTTP: any topic can be published to, watched, read and looked at; the protocol is in
//! `docs/protocol/http.md`.
mod body;
mod error;
mod events;
mod keys;
mod openapi;
mod origin;
mod params;
mod publish;
mod read;
mod sessions;
mod stream;
mod topics;
mod who;
mod wire;

use std::sync::Arc;

use axum::{Router, http::header::CONTENT_TYPE, middleware, routing::get};
use quadrille_core::{Core, auth::Mode};
use utoipa::{OpenApi as _, openapi::OpenApi};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{error::Error, keys::Keys};
use crate::{app::Door, ops};

/// Where the doors are, for people who want to try them.
pub(crate) fn listed() -> Vec<Door> {
    let door = |name, what, path: &str, try_it| Door { name, what, path: path.to_owned(), try_it };
    vec![
        door("events", "topics as server-sent events", EVENTS, |address, path, mode| {
            format!("curl -N 'http://{address}{path}?topic=demo'{}", bearer(mode))
        }),
        door("publish", "publish a record", &format!("{API}v1/publish"), |address, path, mode| {
            let record = r#"{"channel":"demo","payload":{"message":"hello"}}"#;
            format!("curl http://{address}{path} --json '{record}'{}", bearer(mode))
        }),
        door("api", "every door over HTTP, described", OPENAPI, |address, path, _| {
            format!("curl http://{address}{path}")
        }),
    ]
}

/// Where a token is needed, how `curl` shows one.
fn bearer(mode: Mode) -> &'static str {
    match mode {
        Mode::Open => "",
        Mode::Jwt => r#" -H "Authorization: Bearer $TOKEN""#,
    }
}

/// Paths that no protocol can have, nor any below [`API`].
pub(crate) const EVENTS: &str = "/events";
pub(crate) const OPENAPI: &str = "/openapi.json";
pub(crate) const API: &str = "/api/";

/// What every door opens on.
#[derive(Clone, Debug)]
struct Doors {
    core: Core,
    keys: Arc<Keys>,
}

/// The doors. `described` is what else there is.
pub(crate) fn router(core: &Core, described: OpenApi) -> Router {
    let doors = Doors { core: core.clone(), keys: Arc::default() };
    let (router, mut api) = OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(events::events))
        .routes(routes!(publish::publish))
        .routes(routes!(topics::topics))
        .routes(routes!(read::history))
        .routes(routes!(read::presence))
        .routes(routes!(sessions::sessions))
        .routes(routes!(sessions::end))
        .split_for_parts();
    api.merge(described);
    let described = openapi::text(&api);
    router
        .route(OPENAPI, get(async move || ([(CONTENT_TYPE, "application/json")], described)))
        .method_not_allowed_fallback(ops::method_not_allowed)
        .layer(middleware::from_fn_with_state(core.origins.clone(), origin::guard))
        .with_state(doors)
}
