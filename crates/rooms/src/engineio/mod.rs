//! Engine.IO, protocol 4: how the packets of a connection travel, by WebSocket, by polling, or by the
//! one and then the other.
mod error;
mod open;
pub(crate) mod packet;
mod poll;
mod sessions;
mod socket;
mod upgrade;
mod work;

use std::sync::Arc;

use axum::{Router, routing::any};

pub(crate) use self::sessions::Sessions;
use crate::{PATH, door::Door};

/// Everything is at one path, with a slash at its end or without.
pub(crate) fn router(door: &Arc<Door>) -> Router {
    door.core.life.spawn("polling", sessions::look_after(Arc::clone(door)));
    let bare = PATH.trim_end_matches('/');
    Router::new()
        .route(PATH, any(open::open))
        .route(bare, any(open::open))
        .with_state(Arc::clone(door))
}
