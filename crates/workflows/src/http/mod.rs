//! Workflows over HTTP: chats, their files and their runs.
mod backup;
mod begin;
mod body;
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
mod work;

use std::sync::Arc;

use axum::Router;
use utoipa::{OpenApi as _, openapi::OpenApi};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{described::WorkflowsApi, error::Error};
use crate::state::State;

/// Returns the routes, and their description.
pub(crate) fn router(state: &Arc<State>) -> (Router, OpenApi) {
    let (router, mut described) = endpoints().split_for_parts();
    described::complete(&mut described);
    let router = router.method_not_allowed_fallback(async || Error::Method);
    (router.with_state(Arc::clone(state)), described)
}

fn endpoints() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::with_openapi(WorkflowsApi::openapi())
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
