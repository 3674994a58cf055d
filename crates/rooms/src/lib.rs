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
use quadrille_edge::Core;
use quadrille_store::Storage;
use utoipa::openapi::OpenApi;

pub use quadrille_socketio::{PATH, RECOVERY_BYTES};

use crate::state::State;
pub use crate::{
    config::{Config, Guests, NAME, PATHS},
    journal::RoomJournal,
};

/// Serves the rooms, and describes their HTTP endpoints. `journal` is the one that `desk` stores turns
/// in.
pub fn router(
    core: &Core,
    desk: &Desk,
    journal: RoomJournal,
    storage: Storage,
    config: Config,
) -> (Router, OpenApi) {
    let socketio = quadrille_socketio::Config::from(&config);
    let state = Arc::new(State::new(core.clone(), desk.clone(), journal, storage, config));
    let (router, described) = http::router(&state);
    (quadrille_socketio::router(core, socketio, &state).merge(router), described)
}
