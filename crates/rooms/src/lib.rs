//! Rooms over Socket.IO, and over HTTP: conversations with memory, streamed replies and files; the
//! protocol is in `docs/protocol/rooms.md` and `docs/protocol/rooms-http.md`.
//!
//! The sessions of Socket.IO are made here, on the pump that every protocol uses, and not by a
//! library: a connection is a cursor in each of its logs, so order, resume, back-pressure and
//! coalescing come from there, and an idle connection holds no buffer.
mod door;
mod engineio;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod given;
mod http;
mod journal;
mod links;
mod render;
mod socketio;
mod topic;
mod wire;

use std::{sync::Arc, time::Duration};

use axum::Router;
use quadrille_agents::Desk;
use quadrille_edge::Core;
use quadrille_store::Storage;
use serde::{Deserialize, Serialize};
use utoipa::openapi::OpenApi;

use crate::door::Door;

pub use crate::{journal::RoomJournal, socketio::RECOVERY_BYTES};

/// The name of this protocol in configuration, logs and metrics.
pub const NAME: &str = "rooms";

/// Where Socket.IO is.
pub const PATH: &str = "/socket.io/";

/// Paths that nothing else can have, nor anything below them.
pub const PATHS: &[&str] =
    &["/socket.io", "/conversations", "/messages", "/chat/stream", "/files", "/health"];

/// Section `rooms` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Who may connect without a token.
    pub guests: Guests,
    /// Rooms and topics of one connection, at most.
    pub max_rooms: usize,
    /// Bytes of one message from a client, and of one body while it polls. A larger message closes
    /// the connection with 1009, a larger body is refused with 413.
    pub max_message_size: usize,
    /// How long a connection may take to say for whom it is, before it is closed.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How often a client is pinged.
    #[serde(with = "humantime_serde")]
    pub ping_interval: Duration,
    /// How long after a ping something must have come, or the connection is closed.
    #[serde(with = "humantime_serde")]
    pub ping_timeout: Duration,
    /// How long a connection may take no data while there is some, before it is closed with 3008;
    /// zero is for ever.
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
    /// How long a client that lost its connection can go on over another one as the same socket;
    /// zero is not at all. Each event that shows a record then has one argument more.
    #[serde(with = "humantime_serde")]
    pub recovery: Duration,
}

/// Who may connect without a token. Guests use named rooms, and no conversations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guests {
    /// Everybody where nobody signs in, and nobody elsewhere.
    #[default]
    Open,
    /// Everybody.
    Always,
    /// Nobody.
    Never,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            guests: Guests::default(),
            max_rooms: 1000,
            max_message_size: 1_000_000,
            connect_timeout: Duration::from_secs(45),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            write_timeout: Duration::from_secs(30),
            recovery: Duration::ZERO,
        }
    }
}

/// The routes of rooms, and the description of those over HTTP. `journal` is the one that `desk`
/// stores turns in; turns that a crash cut off are closed in it from now on.
pub fn router(
    core: &Core,
    desk: &Desk,
    journal: RoomJournal,
    memory: Storage,
    config: Config,
) -> (Router, OpenApi) {
    core.life.spawn("journal", journal.clone().close_interrupted_turns());
    let door = Arc::new(Door::new(core.clone(), desk.clone(), journal, memory, config));
    let (router, described) = http::router(&door);
    (engineio::router(&door).merge(router), described)
}
