//! Workflows over HTTP: chats, their files and their runs.
mod caller;
mod chats;
mod direct;
mod envelope;
mod error;
mod execute;
mod files;
mod runs;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

pub(crate) use self::envelope::Base;
use self::error::Error;
use crate::{CHATS, door::Door};

/// Bytes of a JSON body.
const BODY: usize = 1_000_000;

pub(crate) fn router(door: &Arc<Door>) -> Router {
    let at = |rest: &str| format!("{CHATS}{rest}");
    Router::new()
        .route(CHATS, get(chats::list).post(chats::create))
        .route(&at("/{chat}"), get(chats::show).delete(chats::delete))
        .route(&at("/{chat}/upload"), post(files::upload))
        .route(&at("/{chat}/files/{name}"), get(files::show))
        .route(&at("/{chat}/execute"), post(execute::execute))
        .route(&at("/{chat}/runs"), get(runs::list))
        .route(&at("/{chat}/runs/{run}"), get(runs::show))
        .route(&at("/{chat}/runs/{run}/cancel"), post(runs::cancel))
        .route(&at("/{chat}/runs/{run}/retry"), post(runs::retry))
        .method_not_allowed_fallback(async || Error::Method)
        .with_state(Arc::clone(door))
        .merge(direct::router(door))
}
