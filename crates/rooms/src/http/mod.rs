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
mod say;
mod shape;
mod status;
mod token;
mod upload;

use std::sync::Arc;

use axum::Router;
use quadrille_core::Life;
use quadrille_edge::http::form;
use utoipa::{OpenApi as _, openapi::OpenApi};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{described::Document, error::Error};
use crate::door::Door;

/// Bytes of a JSON body, and of a form.
const BODY: usize = form::MAX_TEXT;

/// The doors, and their description.
pub(crate) fn router(door: &Arc<Door>) -> (Router, OpenApi) {
    let (router, mut described) = OpenApiRouter::with_openapi(Document::openapi())
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
    described::complete(&mut described, door.is_open());
    let router = router.method_not_allowed_fallback(async || Error::Method);
    (router.with_state(Arc::clone(door)), described)
}

/// Do `work` in a task of its own: a client that leaves does not leave it half done.
async fn to_the_end<T: Send + 'static>(
    life: &Life,
    name: &'static str,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    // In a box: what it does with the database is large, and is moved to a task of its own.
    life.finish(name, Box::pin(work)).await.unwrap_or(Err(Error::Defect))
}
