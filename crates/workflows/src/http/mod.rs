//! Workflows over HTTP: chats, their files and their runs.
mod backup;
mod begin;
mod bot;
mod caller;
mod chats;
mod direct;
mod downloads;
mod dump;
mod envelope;
mod error;
mod execute;
mod files;
mod restore;
mod runs;
mod work;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    routing::{get, post},
};

use quadrille_core::rest::{BadBody, Body};
use serde::de::DeserializeOwned;

pub(crate) use self::envelope::Base;
use self::error::Error;
use crate::{BACKUP, CHATS, DOWNLOADS, door::Door};

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
        .route(&at("/{chat}/runs"), get(runs::list).post(runs::create))
        .route(&at("/{chat}/runs/{run}"), get(runs::show))
        .route(&at("/{chat}/runs/{run}/cancel"), post(runs::cancel))
        .route(&at("/{chat}/runs/{run}/retry"), post(runs::retry))
        .route(&at("/{chat}/dump"), post(dump::dump))
        .route(&at("/restore"), post(restore::restore))
        .route(&format!("{DOWNLOADS}/{{file}}"), get(downloads::show))
        .route(BACKUP, post(backup::backup))
        .merge(bot::router())
        .merge(work::router())
        .method_not_allowed_fallback(async || Error::Method)
        .with_state(Arc::clone(door))
        .merge(direct::router(door))
}

/// The body of a request, which is a JSON object.
async fn read<T: DeserializeOwned>(request: Request) -> Result<T, Error> {
    let body = Body::read(request, BODY).await?;
    body.parse().map_err(|why| match why {
        BadBody::Json(why) => Error::Invalid(why),
        why => why.into(),
    })
}
