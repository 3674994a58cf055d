//! The commands of clients, one module for each kind. An unknown event is acknowledged, and
//! ignored.
mod ask;
mod call;
mod conversation;
mod message;
mod named;
mod refresh;
mod watch;

use std::sync::OnceLock;

use quadrille_socketio::{SocketLink, packet::EventData};

use self::call::Call;
use super::connected::{Client, ClientFlow};

pub(super) fn run(
    client: &mut Client,
    event: &EventData<'_>,
    id: Option<u64>,
    link: &mut SocketLink<'_>,
) -> ClientFlow {
    let copy = OnceLock::new();
    let call = Call::new(&event.arguments, id, &copy);
    match &*event.name {
        "join_room" => conversation::join(client, &call, link),
        "leave_room" => conversation::leave(client, &call, link),
        "typing" => conversation::typing(client, &call, link),
        "send_message" => message::send(client, &call, link),
        "message" => named::message(client, &call, link),
        "broadcast" => named::broadcast(client, &call, link),
        "get_stats" => named::stats(client, &call, link),
        "llm_request" => ask::request(client, &call, link),
        "cancel" => ask::cancel(client, &call, link),
        "watch" => watch::watch(client, &call, link),
        "unwatch" => watch::unwatch(client, &call, link),
        "auth_refresh" => refresh::refresh(client, &call, link),
        _ => {
            link.ack(id, None);
            ClientFlow::Continue
        }
    }
}
