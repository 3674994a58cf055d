//! Doors over HTTP: any topic can be published to, watched, read and looked at; the protocol is in
//! `docs/protocol/http.md`.
mod error;
mod events;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod keys;
mod openapi;
mod origin;
mod params;
mod publish;
mod read;
mod sessions;
mod stream;
mod topics;
mod wire;

use std::sync::Arc;

use axum::{
    Router,
    extract::{FromRef, Request},
    http::header::CONTENT_TYPE,
    middleware,
    routing::get,
};
use quadrille_edge::{Core, http::Caller};
use quadrille_identity::Mode;
use utoipa::{OpenApi as _, openapi::OpenApi};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{error::Error, keys::Keys};
use crate::{app::Door, compress, ops};

/// Where the doors are, for people who want to try them.
pub(crate) fn listed() -> Vec<Door> {
    let door = |name, what, path: &str, try_it| Door { name, what, path: path.to_owned(), try_it };
    vec![
        door("events", "topics as server-sent events", EVENTS, |way, path, mode| {
            format!("{} -N '{}{path}?topic=demo'{}", way.curl, way.http, bearer(mode))
        }),
        door("publish", "publish a record", &format!("{API}v1/publish"), |way, path, mode| {
            let record = r#"{"channel":"demo","payload":{"message":"hello"}}"#;
            format!("{} {}{path} --json '{record}'{}", way.curl, way.http, bearer(mode))
        }),
        door("api", "every door over HTTP, described", OPENAPI, |way, path, _| {
            format!("{} {}{path}", way.curl, way.http)
        }),
    ]
}

/// Where a token is needed, how `curl` shows one.
pub(crate) fn bearer(mode: Mode) -> &'static str {
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

impl FromRef<Doors> for Core {
    fn from_ref(doors: &Doors) -> Self {
        doors.core.clone()
    }
}

/// That `caller` may do what is not about one topic.
fn need(caller: &Caller, scope: &'static str) -> Result<(), Error> {
    if caller.has_scope(scope) { Ok(()) } else { Err(Error::Scope(scope)) }
}

/// The doors. `described` is what else there is.
pub(crate) fn router(core: &Core, described: OpenApi) -> Router {
    let doors = Doors { core: core.clone(), keys: Arc::default() };
    let long = OpenApiRouter::new().routes(routes!(topics::topics)).routes(routes!(read::history));
    let (router, mut api) = OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(events::events))
        .routes(routes!(publish::publish))
        .merge(long.layer(compress::layer()))
        .routes(routes!(read::presence))
        .routes(routes!(sessions::sessions))
        .routes(routes!(sessions::end))
        .split_for_parts();
    api.merge(described);
    let described = openapi::text(&api, core.auth.mode());
    let openapi = get(async move |request: Request| {
        ([(CONTENT_TYPE, "application/json")], openapi::below(&described, request.extensions()))
    });
    let openapi = openapi.layer(compress::layer());
    guarded(router.route(OPENAPI, openapi).with_state(doors), core)
}

/// What every door over HTTP has around it.
pub(crate) fn guarded(router: Router, core: &Core) -> Router {
    router
        .method_not_allowed_fallback(ops::method_not_allowed)
        .layer(middleware::from_fn_with_state(core.origins.clone(), origin::guard))
}
