//! Rooms over HTTP: conversations and their messages, files, and a reply as a stream, as clients of
//! the first versions ask for them; the protocol is in `docs/protocol/rooms-http.md`.
mod caller;
mod chat;
mod conversations;
mod error;
mod fields;
mod files;
mod intake;
mod messages;
mod params;
mod say;
mod shape;
mod status;
mod token;
mod upload;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, patch, post},
};
use quadrille_core::{Life, rest::form};

use self::error::Error;
use crate::door::Door;

/// Bytes of a JSON body, and of a form.
const BODY: usize = form::TEXTS;

pub(crate) fn router(door: &Arc<Door>) -> Router {
    Router::new()
        .route("/conversations", get(conversations::list).post(conversations::create))
        .route("/conversations/{id}", patch(conversations::change).delete(conversations::delete))
        .route("/conversations/{id}/messages", get(messages::list))
        .route("/messages", post(messages::add))
        .route("/api/v1/search", get(messages::search))
        .route("/api/upload_file", post(upload::upload))
        .route("/api/files", get(files::list))
        .route("/files/{*key}", get(files::show))
        .route("/chat/stream", post(chat::stream))
        .route("/health", get(status::health))
        .route("/api/v1/status", get(status::status))
        .method_not_allowed_fallback(async || Error::Method)
        .with_state(Arc::clone(door))
}

/// Do `work` in a task of its own: a client that leaves does not leave it half done.
async fn to_the_end<T: Send + 'static>(
    life: &Life,
    name: &'static str,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    life.finish(name, work).await.unwrap_or(Err(Error::Defect))
}
