//! Operations on a file that comes with the request, without a chat.
mod arguments;
mod asked;
mod bind;
mod downloads;
mod excel;
mod json;
mod normalize;
mod refused;
mod sql;
mod take;
mod work;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};
use serde_json::json;

use super::{
    envelope::{Envelope, ok},
    error::Error,
};
use crate::door::Door;

const ROOT: &str = "/api/v1";

pub(super) fn router(door: &Arc<Door>) -> Router {
    let at = |rest: &str| format!("{ROOT}{rest}");
    Router::new()
        .route(&at("/health"), get(health))
        .route(&at("/health/"), get(health))
        .route(&at("/health/ready"), get(ready))
        .route(&at("/excel/info"), post(excel::info))
        .route(&at("/excel/extract-columns"), post(excel::extract))
        .route(&at("/excel/extract-columns-to-file"), post(excel::extract_to_file))
        .route(&at("/excel/map-columns"), post(excel::map))
        .route(&at("/excel/bind-single-key"), post(bind::single))
        .route(&at("/excel/bind-multi-key"), post(bind::multi))
        .route(&at("/excel/search"), post(excel::search))
        .route(&at("/excel/search/suggest-operators"), post(excel::suggest))
        .route(&at("/csv/info"), post(excel::csv_info))
        .route(&at("/csv/convert-to-excel"), post(excel::convert))
        .route(&at("/csv/search"), post(excel::csv_search))
        .route(&at("/csv/search/suggest-operators"), post(excel::suggest))
        .route(&at("/normalization/types"), get(normalize::types))
        .route(&at("/normalization/apply"), post(normalize::apply))
        .route(&at("/files/bind"), post(bind::overwrite))
        .route(&at("/files/bind/preview"), post(bind::preview))
        .route(&at("/files/downloads/{name}"), get(super::downloads::show))
        .route(&at("/sql/databases"), get(sql::databases))
        .route(&at("/sql/generate"), post(sql::generate))
        .route(&at("/sql/generate-to-text"), post(sql::to_text))
        .route(&at("/sql/generate-custom-to-text"), post(sql::custom))
        .route(&at("/json/generate"), post(json::generate))
        .route(&at("/json/generate-with-template"), post(json::with_template))
        .method_not_allowed_fallback(async || Error::Method)
        .with_state(Arc::clone(door))
}

async fn health() -> Envelope {
    let version = env!("CARGO_PKG_VERSION");
    let data = json!({ "status": "healthy", "service": "Quadrille", "version": version });
    ok("Service is healthy", data)
}

async fn ready() -> Envelope {
    ok("Service is ready", json!({ "ready": true }))
}
