//! Rooms over Socket.IO, and over HTTP: conversations with memory, streamed replies and files; the
//! protocol is in `docs/protocol/rooms.md` and `docs/protocol/rooms-http.md`.
mod client;
mod config;
mod given;
mod http;
mod journal;
mod links;
mod render;
mod state;
mod topic;
mod wire;

use std::sync::Arc;

use axum::Router;
use quadrille_agents::Desk;
use quadrille_core::Core;
use utoipa::openapi::OpenApi;

pub use crate::config::{Config, Guests, Memory, NAME, PATHS};
use crate::state::State;
pub use quadrille_socketio::{PATH, RECOVERY_BYTES};

/// Serves the rooms, and describes their HTTP endpoints. Turns asked in conversations are stored
/// from now on, over whichever protocol they are asked.
pub fn router(core: &Core, desk: &Desk, memory: Memory, config: Config) -> (Router, OpenApi) {
    let socketio = quadrille_socketio::Config::from(&config);
    let state = Arc::new(State::new(core.clone(), desk.clone(), memory, config));
    journal::keep(&state);
    let (router, described) = http::router(&state);
    (quadrille_socketio::router(core, socketio, &state).merge(router), described)
}
