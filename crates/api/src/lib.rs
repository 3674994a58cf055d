//! Any topic over HTTP: publish, stream, history, presence, topics and sessions; the protocol is in
//! `docs/protocol/http.md`.
mod error;
mod events;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod keys;
mod limits;
mod params;
mod publish;
mod read;
mod schema;
mod sessions;
mod stream;
mod topics;
mod wire;

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use quadrille_edge::{
    Core,
    http::{Caller, compress},
};
use utoipa::{OpenApi as _, openapi::OpenApi};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{error::Error, keys::PublicationKeys};

/// The path of the stream of events.
pub const EVENTS: &str = "/events";

/// The prefix of every other path.
pub const API: &str = "/api/";

/// The schemas that no endpoint has as its body.
#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(schema::TopicName, schema::At, schema::Ats)))]
struct Schemas;

/// The state of every endpoint.
#[derive(Clone, Debug)]
struct Api {
    core: Core,
    keys: Arc<PublicationKeys>,
}

impl FromRef<Api> for Core {
    fn from_ref(state: &Api) -> Self {
        state.core.clone()
    }
}

/// Fails unless the token of `caller` has `scope`.
fn need(caller: &Caller, scope: &'static str) -> Result<(), Error> {
    if caller.has_scope(scope) { Ok(()) } else { Err(Error::Scope(scope)) }
}

/// Returns the endpoints, and their description.
pub fn router(core: &Core) -> (Router, OpenApi) {
    let state = Api { core: core.clone(), keys: Arc::default() };
    let long = OpenApiRouter::new().routes(routes!(topics::topics)).routes(routes!(read::history));
    let (router, described) = OpenApiRouter::with_openapi(Schemas::openapi())
        .routes(routes!(events::events))
        .routes(routes!(publish::publish))
        .merge(long.layer(compress()))
        .routes(routes!(read::presence))
        .routes(routes!(sessions::sessions))
        .routes(routes!(sessions::end))
        .split_for_parts();
    (router.with_state(state), described)
}
