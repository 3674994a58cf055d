//! Rooms over HTTP: conversations and their messages, files, and a reply as a stream, as clients of
//! the first versions ask for them; the protocol is in `docs/protocol/rooms-http.md`.
mod bodies;
mod caller;
mod chat;
mod conversations;
mod described;
mod error;
mod fields;
mod files;
mod given;
mod intake;
mod messages;
mod params;
mod publish;
mod shape;
mod status;
mod task;
mod token;
mod upload;

use std::sync::Arc;

use axum::Router;
use utoipa::{OpenApi as _, openapi::OpenApi};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{described::RoomsApi, error::Error};
use crate::state::State;

/// The routes, and their description.
pub(crate) fn router(state: &Arc<State>) -> (Router, OpenApi) {
    let (router, mut described) = OpenApiRouter::with_openapi(RoomsApi::openapi())
        .routes(routes!(conversations::list, conversations::create))
        .routes(routes!(conversations::change, conversations::delete))
        .routes(routes!(messages::list))
        .routes(routes!(messages::add))
        .routes(routes!(messages::search))
        .routes(routes!(upload::upload))
        .routes(routes!(files::list))
        .routes(routes!(files::show))
        .routes(routes!(chat::stream))
        .routes(routes!(status::health))
        .routes(routes!(status::status))
        .split_for_parts();
    described::complete(&mut described, state.is_open());
    let router = router.method_not_allowed_fallback(async || Error::Method);
    (router.with_state(Arc::clone(state)), described)
}
