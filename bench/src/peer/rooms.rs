//! Rooms as socketioxide has them, with its defaults: join one, and speak to all in it.
//!
//! A socket's queue holds 128 packets; packets that do not fit are lost to that socket, silently.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use serde::{Deserialize, Serialize};
use socketioxide::SocketIo;
use socketioxide::extract::{Data, SocketRef};

#[derive(Debug, Deserialize)]
struct Join {
    room: String,
}

#[derive(Debug, Serialize)]
struct Joined<'a> {
    room: &'a str,
    user_count: usize,
}

#[derive(Debug, Deserialize)]
struct Said {
    message: String,
    room: String,
    user_name: String,
}

#[derive(Debug, Serialize)]
struct NewMessage<'a> {
    user: &'a str,
    message: &'a str,
    timestamp: f64,
    room: &'a str,
}

pub(crate) fn router() -> Router {
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", |socket: SocketRef| {
        socket.on("join_room", join);
        socket.on("message", speak);
        std::future::ready(())
    });
    Router::new().layer(layer)
}

/// Announces a member to itself only: thousands announced to thousands would be another benchmark.
async fn join(socket: SocketRef, io: SocketIo, Data(Join { room }): Data<Join>) {
    socket.join(room.clone());
    let user_count = io.to(room.clone()).sockets().len();
    // It fails if the socket is gone, to which nothing is owed.
    drop(socket.emit("room_joined", &Joined { room: &room, user_count }));
}

async fn speak(io: SocketIo, Data(said): Data<Said>) {
    let Said { message, room, user_name } = said;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = now.as_secs_f64();
    let new = NewMessage { user: &user_name, message: &message, timestamp, room: &room };
    // It fails for sockets whose queue is full; the load generator counts what they lose.
    drop(io.to(room.clone()).emit("new_message", &new).await);
}
