//! `/health` and `/api/v1/status`: whether the service is up, and by how many clients it is used.
use std::sync::Arc;

use axum::{
    Json,
    extract::{self, Request},
};
use quadrille_edge::http::Peer;
use quadrille_identity::{Payer, Principal, Rate};
use serde_json::{Map, Value, json};

use super::error::Error;
use quadrille_socketio::PATH;

use crate::{config::NAME, state::State};

/// Named rooms that are listed, at most.
const ROOMS: usize = 1000;

const SERVICE: &str = "quadrille";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Health check of rooms
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "rooms_health",
    tag = "rooms",
    security(()),
    responses((status = 200, description = "Healthy", body = serde_json::Value))
)]
pub(super) async fn health(
    extract::State(state): extract::State<Arc<State>>,
    request: Request,
) -> Result<Json<Value>, Error> {
    count(&state, &request)?;
    Ok(Json(json!({
        "status": "healthy",
        "service": SERVICE,
        "active_connections": state.count(),
        "rooms": state.count_rooms(ROOMS),
        "service_info": {"name": SERVICE, "version": VERSION, "protocol": NAME, "path": PATH},
    })))
}

/// Show the usage of rooms
#[utoipa::path(
    get,
    path = "/api/v1/status",
    operation_id = "rooms_status",
    tag = "rooms",
    security(()),
    responses((status = 200, description = "Clients and named rooms", body = serde_json::Value))
)]
pub(super) async fn status(
    extract::State(state): extract::State<Arc<State>>,
    request: Request,
) -> Result<Json<Value>, Error> {
    count(&state, &request)?;
    // Names are shown to guests as far as these may use the rooms: no token is read here.
    let rooms = state.named_rooms(&Principal::guest(), ROOMS).into_iter();
    let rooms = rooms.map(|(room, count)| (room, count.into()));
    Ok(Json(json!({
        "status": "running",
        "service": SERVICE,
        "version": VERSION,
        "active_connections": state.count(),
        "rooms": rooms.collect::<Map<String, Value>>(),
        "room_count": state.count_rooms(ROOMS),
        "uptime": "running",
    })))
}

/// Counts the request for its address: no token is read here.
fn count(state: &State, request: &Request) -> Result<(), Error> {
    let payer = Payer::from(Peer::of(request).0);
    Ok(state.core.quotas.take(Rate::Requests, &payer)?)
}
