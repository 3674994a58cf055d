//! Operations on a file in the request, without a chat.
mod arguments;
mod bind;
mod downloads;
mod excel;
mod json;
mod normalize;
mod refused;
mod request;
mod sql;
mod take;
mod work;

use std::sync::Arc;

use axum::routing::get;
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::envelope::{Envelope, EnvelopeBody, ok};
use crate::{API, state::State};

pub(super) fn router() -> OpenApiRouter<Arc<State>> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .route(&format!("{API}/health/"), get(health))
        .routes(routes!(ready))
        .routes(routes!(excel::info))
        .routes(routes!(excel::extract))
        .routes(routes!(excel::extract_to_file))
        .routes(routes!(excel::map))
        .routes(routes!(bind::single))
        .routes(routes!(bind::multi))
        .routes(routes!(excel::search))
        .routes(routes!(excel::suggest))
        .routes(routes!(excel::csv_info))
        .routes(routes!(excel::convert))
        .routes(routes!(excel::csv_search))
        .routes(routes!(excel::csv_suggest))
        .routes(routes!(normalize::types))
        .routes(routes!(normalize::apply))
        .routes(routes!(bind::overwrite))
        .routes(routes!(bind::preview))
        .routes(routes!(downloads::show))
        .routes(routes!(sql::databases))
        .routes(routes!(sql::generate))
        .routes(routes!(sql::to_text))
        .routes(routes!(sql::custom))
        .routes(routes!(json::generate))
        .routes(routes!(json::with_template))
}

/// Health check
#[utoipa::path(
    get,
    context_path = API,
    path = "/health",
    tag = "tables",
    security(()),
    responses((status = 200, description = "`status`, `service` and `version`", body = EnvelopeBody))
)]
async fn health() -> Envelope {
    let version = env!("CARGO_PKG_VERSION");
    let data = json!({ "status": "healthy", "service": "Quadrille", "version": version });
    ok("Service is healthy", data)
}

/// Readiness check
#[utoipa::path(
    get,
    context_path = API,
    path = "/health/ready",
    operation_id = "health_ready",
    tag = "tables",
    security(()),
    responses((status = 200, description = "`ready`", body = EnvelopeBody))
)]
async fn ready() -> Envelope {
    ok("Service is ready", json!({ "ready": true }))
}
