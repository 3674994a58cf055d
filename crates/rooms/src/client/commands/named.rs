//! Rooms that have a name and store nothing beyond their log, and messages to everybody.
use std::borrow::Cow;

use quadrille_agents::Given;
use quadrille_core::{BadTopic, Draft, Topic};
use quadrille_identity::Action;
use quadrille_socketio::SocketLink;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::{
    ask,
    call::{Call, RoomTarget},
};
use crate::{
    client::{
        connected::{Client, ClientFlow},
        own::TurnForm,
    },
    topic::{everybody, of_named_room},
    wire,
};

/// The room of events that name none.
pub(super) const DEFAULT: &str = "general";

/// Rooms that are counted for `get_stats`, at most.
const COUNTED: usize = 1000;

/// Error of a room that a client cannot use.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum NoRoom {
    #[error("the room's name cannot be used: {0}")]
    Name(#[from] BadTopic),
    #[error("not allowed with this token; get one that grants the room")]
    NotAllowed,
}

fn topic(client: &Client, room: &str, action: Action) -> Result<Topic, NoRoom> {
    let topic = of_named_room(room)?;
    let may_use = client.state.may_use(action, &client.principal, &topic);
    if may_use { Ok(topic) } else { Err(NoRoom::NotAllowed) }
}

#[derive(Serialize)]
struct RoomCount<'a> {
    room: &'a str,
    user_count: usize,
}

pub(super) fn join(
    client: &mut Client,
    target: &RoomTarget<'_>,
    call: &Call<'_>,
    link: &mut SocketLink<'_>,
) -> ClientFlow {
    let room = target.room.as_deref().unwrap_or(DEFAULT);
    let topic = match topic(client, room, Action::Read) {
        Ok(topic) => topic,
        Err(err) => {
            client.refuse("no_room", &err.to_string(), call.id, link);
            return ClientFlow::Continue;
        }
    };
    if let Err(err) = client.count_publication() {
        client.refuse("rate", &err.to_string(), call.id, link);
        return ClientFlow::Continue;
    }
    let at = match client.subscribe(&topic, &target.options, link) {
        Ok(at) => at,
        Err(err) => {
            client.refuse("not_seen", &err.to_string(), call.id, link);
            return ClientFlow::Continue;
        }
    };
    let (user_count, _) = client.state.core.presence.members(&topic, 0);
    let count = RoomCount { room, user_count };
    let answer = json!({"room": room, "user_count": user_count, "position": at.to_string()});
    link.event("room_joined", &answer);
    link.ack(call.id, Some(&json!({"position": at.to_string()})));
    let draft = Draft::new(topic, "room_joined", wire::json(&count)).publisher(client.sid);
    client.publish(draft, None, link)
}

pub(super) fn leave(
    client: &mut Client,
    target: &RoomTarget<'_>,
    call: &Call<'_>,
    link: &mut SocketLink<'_>,
) -> ClientFlow {
    let room = target.room.as_deref().unwrap_or(DEFAULT);
    link.ack(call.id, None);
    let Ok(topic) = topic(client, room, Action::Read) else { return ClientFlow::Continue };
    if !client.unsubscribe(&topic, link) {
        return ClientFlow::Continue;
    }
    let (user_count, _) = client.state.core.presence.members(&topic, 0);
    let draft = Draft::new(topic, "room_left", wire::json(&RoomCount { room, user_count }));
    client.publish(draft, None, link)
}

#[derive(Deserialize)]
struct RoomMessageEvent<'a> {
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    user_name: Option<&'a RawValue>,
}

/// Prefix of a message that is a question, too.
const QUESTION: &str = "/ai";

pub(super) fn message(
    client: &mut Client,
    call: &Call<'_>,
    link: &mut SocketLink<'_>,
) -> ClientFlow {
    let Some(message) = call.read::<RoomMessageEvent<'_>>() else {
        link.ack(call.id, None);
        return ClientFlow::Continue;
    };
    let room = message.room.as_deref().unwrap_or(DEFAULT);
    let topic = match topic(client, room, Action::Write) {
        Ok(topic) => topic,
        Err(err) => {
            client.refuse("no_room", &err.to_string(), call.id, link);
            return ClientFlow::Continue;
        }
    };
    if let Err(err) = client.count_publication() {
        client.refuse("rate", &err.to_string(), call.id, link);
        return ClientFlow::Continue;
    }
    // Passed on as they were sent: their types are up to the clients.
    let text = message.message.map_or("\"\"", RawValue::get);
    let name = message.user_name.map_or("\"Anonymous\"", RawValue::get);
    let payload = format!(
        "{{\"user\":{name},\"message\":{text},\"timestamp\":{:?},\"room\":{}}}",
        wire::now(),
        wire::json(&room)
    );
    if let Ok(question) = quadrille_core::json::read::<String>(text)
        && let Some(question) = question.strip_prefix(QUESTION)
    {
        ask::ask(client, question, TurnForm::Whole, None, Given::default(), link);
    }
    client.publish(Draft::new(topic, "new_message", payload), call.id, link)
}

pub(super) fn typing(
    client: &Client,
    room: &str,
    name: Option<&RawValue>,
    is_typing: bool,
    call: &Call<'_>,
    link: &mut SocketLink<'_>,
) -> ClientFlow {
    let allowed = client.count_publication().is_ok();
    let Some(topic) = topic(client, room, Action::Write).ok().filter(|_| allowed) else {
        link.ack(call.id, None);
        return ClientFlow::Continue;
    };
    let sid = client.sid;
    let name = name.map_or("\"Anonymous\"", RawValue::get);
    let payload = format!("{{\"user\":{name},\"is_typing\":{is_typing}}}");
    let key = format!("typing/{sid}");
    let draft = Draft::new(topic, "user_typing", payload).key(Some(key.into())).publisher(sid);
    client.publish(draft, call.id, link)
}

pub(super) fn broadcast(client: &Client, call: &Call<'_>, link: &mut SocketLink<'_>) -> ClientFlow {
    let Some(message) = call.read::<RoomMessageEvent<'_>>() else {
        link.ack(call.id, None);
        return ClientFlow::Continue;
    };
    let topic = everybody();
    if client.state.core.auth.allow(&client.principal, Action::Write, &topic).is_err() {
        client.refuse("not_allowed", &NoRoom::NotAllowed.to_string(), call.id, link);
        return ClientFlow::Continue;
    }
    if let Err(err) = client.count_publication() {
        client.refuse("rate", &err.to_string(), call.id, link);
        return ClientFlow::Continue;
    }
    let text = message.message.map_or("\"\"", RawValue::get);
    let payload = format!("{{\"message\":{text},\"timestamp\":{:?}}}", wire::now());
    client.publish(Draft::new(topic, "broadcast_message", payload), call.id, link)
}

pub(super) fn stats(client: &Client, call: &Call<'_>, link: &mut SocketLink<'_>) -> ClientFlow {
    let rooms = client.state.named_rooms(&client.principal, COUNTED).into_iter();
    let rooms: serde_json::Map<_, _> = rooms.map(|(room, count)| (room, count.into())).collect();
    let count = client.state.count();
    let stats = json!({"active_users": count, "rooms": rooms, "total_connections": count});
    link.event("stats", &stats);
    link.ack(call.id, None);
    ClientFlow::Continue
}
