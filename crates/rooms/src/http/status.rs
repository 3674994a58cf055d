//! `/health` and `/api/v1/status`: that the service is there, and how many use it.
use std::sync::Arc;

use axum::{
    Json,
    extract::{self, Request},
};
use quadrille_core::{Payer, Rate, auth::Principal, ws::Peer};
use serde_json::{Map, Value, json};

use super::error::Error;
use quadrille_socketio::PATH;

use crate::{config::NAME, state::State};

/// Named rooms that are listed.
const ROOMS: usize = 1000;

const SERVICE: &str = "quadrille";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Ask whether rooms are healthy
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "rooms_health",
    tag = "rooms",
    security(()),
    responses((status = 200, description = "They are", body = serde_json::Value))
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

/// See how many use rooms
#[utoipa::path(
    get,
    path = "/api/v1/status",
    operation_id = "rooms_status",
    tag = "rooms",
    security(()),
    responses((status = 200, description = "How many there are", body = serde_json::Value))
)]
pub(super) async fn status(
    extract::State(state): extract::State<Arc<State>>,
    request: Request,
) -> Result<Json<Value>, Error> {
    count(&state, &request)?;
    // Names are for whoever may be in the rooms, and nobody says here who they are.
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

/// Nobody says who they are here, but it costs as much as elsewhere.
fn count(state: &State, request: &Request) -> Result<(), Error> {
    let payer = Payer::from(Peer::of(request).0);
    Ok(state.core.quotas.take(Rate::Requests, &payer)?)
}
