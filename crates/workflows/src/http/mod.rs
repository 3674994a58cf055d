//! Workflows over HTTP: chats, their files and their runs.
mod backup;
mod begin;
mod bot;
mod caller;
mod chats;
mod described;
mod direct;
mod downloads;
mod dump;
mod envelope;
mod error;
mod execute;
mod files;
mod forms;
mod key;
mod page;
mod path;
mod restore;
mod runs;
pub(crate) mod values;
mod work;

use std::sync::Arc;

use axum::{Router, extract::Request};
use quadrille_edge::http::{BadBody, JsonBody};
use serde::de::DeserializeOwned;
use utoipa::{OpenApi as _, openapi::OpenApi};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use self::envelope::Base;
use self::{described::Document, error::Error};
use crate::door::Door;

/// Bytes of a JSON body.
const BODY: usize = 1_000_000;

/// The doors, and their description.
pub(crate) fn router(door: &Arc<Door>) -> (Router, OpenApi) {
    let (router, mut described) = doors().split_for_parts();
    described::complete(&mut described);
    let router = router.method_not_allowed_fallback(async || Error::Method);
    (router.with_state(Arc::clone(door)), described)
}

fn doors() -> OpenApiRouter<Arc<Door>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(chats::list, chats::create))
        .routes(routes!(chats::show, chats::delete))
        .routes(routes!(files::upload))
        .routes(routes!(files::show))
        .routes(routes!(execute::execute))
        .routes(routes!(runs::list, runs::create))
        .routes(routes!(runs::show))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::retry))
        .routes(routes!(dump::dump))
        .routes(routes!(restore::restore))
        .routes(routes!(downloads::show))
        .routes(routes!(backup::backup))
        .merge(bot::router())
        .merge(work::router())
        .merge(direct::router())
}

/// The body of a request, which is a JSON object.
async fn read<T: DeserializeOwned>(request: Request) -> Result<T, Error> {
    let body = JsonBody::read(request, BODY).await?.whole();
    body.parse().map_err(|why| match why {
        BadBody::Json(why) => Error::Invalid(why),
        why => why.into(),
    })
}
