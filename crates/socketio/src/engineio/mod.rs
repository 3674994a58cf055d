//! Engine.IO, protocol 4: how the packets of a connection travel, by WebSocket, by polling, or by
//! the one and then the other. What the messages mean is up to a [`Handler`].
mod error;
mod guard;
mod handler;
mod open;
mod packet;
mod poll;
mod polled;
mod server;
mod sessions;
mod slot;
mod upgrade;
mod websocket;
mod work;

use std::sync::Arc;

use axum::{Router, routing::any};
use quadrille_core::SessionInfo;
use quadrille_edge::Core;
use quadrille_identity::Token;

use self::server::EngineServer;
pub use self::{
    handler::{EngineLink, Handler, PacketSink},
    packet::{BadPayload, EnginePacket, Payload},
};
use crate::config::Config;

/// Serves Engine.IO at `path`, which ends in a slash and is also served without. `open` makes the
/// handler of a connection; the token is that of its first request.
pub fn router<H: Handler>(
    core: &Core,
    path: &str,
    config: Config,
    open: impl Fn(&Arc<SessionInfo>, Option<Token>) -> H + Send + Sync + 'static,
) -> Router {
    let server = Arc::new(EngineServer::new(core, config, open));
    let sweeping = sessions::look_after(Arc::clone(&server.sessions), core.life.clone());
    core.life.spawn("polling", sweeping);
    Router::new()
        .route(path, any(open::open::<H>))
        .route(path.trim_end_matches('/'), any(open::open::<H>))
        .with_state(server)
}
