//! Rooms that are known by a name and remember nothing beyond their log, and what is said to
//! everybody.
use std::{borrow::Cow, sync::Arc};

use futures_util::FutureExt;
use quadrille_agents::Given;
use quadrille_core::{BadTopic, Draft, Publish, Receipt, TooManyTopics, Topic};
use quadrille_identity::Action;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::{Call, ask, conversation::Place};
use crate::{
    render::NAMED,
    socketio::{Client, Flow, Link, Then, connect::everybody, own::Form},
    wire,
};

/// Where a client is that names no room.
pub(super) const DEFAULT: &str = "general";

/// Rooms that are counted for `get_stats`, at most.
const COUNTED: usize = 1000;

/// Why a client cannot use a room.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum NoRoom {
    #[error("the room's name cannot be used: {0}")]
    Name(#[from] BadTopic),
    #[error("not allowed with this token; get one that grants the room")]
    NotAllowed,
}

fn topic(client: &mut Client, room: &str, action: Action) -> Result<Topic, NoRoom> {
    // Without a name it would be the topic of everybody.
    if room.is_empty() {
        return Err(NoRoom::Name(BadTopic::Shape));
    }
    let topic = Topic::new("room", format_args!("{NAMED}{room}"))?;
    let door = Arc::clone(&client.door);
    let may = client.connected().is_some_and(|it| door.may_use(action, &it.who, &topic));
    if may { Ok(topic) } else { Err(NoRoom::NotAllowed) }
}

#[derive(Serialize)]
struct Count<'a> {
    room: &'a str,
    user_count: usize,
}

pub(super) fn join(
    client: &mut Client,
    place: &Place<'_>,
    call: &Call<'_>,
    link: &mut Link<'_>,
) -> Flow {
    let room = place.room.as_deref().unwrap_or(DEFAULT);
    let topic = match topic(client, room, Action::Read) {
        Ok(topic) => topic,
        Err(why) => {
            client.refuse("no_room", &why.to_string(), call.id, link);
            return Flow::Continue;
        }
    };
    if let Err(why) = client.count_publication() {
        client.refuse("rate", &why.to_string(), call.id, link);
        return Flow::Continue;
    }
    let at = match client.see(&topic, &place.from, link) {
        Ok(at) => at,
        Err(why) => {
            client.refuse("not_seen", &why.to_string(), call.id, link);
            return Flow::Continue;
        }
    };
    let (user_count, _) = client.door.core.presence.members(&topic, 0);
    let count = Count { room, user_count };
    let answer = json!({"room": room, "user_count": user_count, "position": at.to_string()});
    link.event("room_joined", &answer);
    link.ack(call.id, Some(&json!({"position": at.to_string()})));
    let draft = Draft::new(topic, "room_joined", wire::json(&count)).publisher(client.sid());
    client.say(draft, None, link)
}

pub(super) fn leave(
    client: &mut Client,
    place: &Place<'_>,
    call: &Call<'_>,
    link: &mut Link<'_>,
) -> Flow {
    let room = place.room.as_deref().unwrap_or(DEFAULT);
    link.ack(call.id, None);
    let Ok(topic) = topic(client, room, Action::Read) else { return Flow::Continue };
    if !client.unsee(&topic, link) {
        return Flow::Continue;
    }
    let (user_count, _) = client.door.core.presence.members(&topic, 0);
    let draft = Draft::new(topic, "room_left", wire::json(&Count { room, user_count }));
    client.say(draft, None, link)
}

#[derive(Deserialize)]
struct Sent<'a> {
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    user_name: Option<&'a RawValue>,
}

/// What a message begins with that is a question, too.
const QUESTION: &str = "/ai";

pub(super) fn message(client: &mut Client, call: &Call<'_>, link: &mut Link<'_>) -> Flow {
    let Some(message) = call.read::<Sent<'_>>() else {
        link.ack(call.id, None);
        return Flow::Continue;
    };
    let room = message.room.as_deref().unwrap_or(DEFAULT);
    let topic = match topic(client, room, Action::Write) {
        Ok(topic) => topic,
        Err(why) => {
            client.refuse("no_room", &why.to_string(), call.id, link);
            return Flow::Continue;
        }
    };
    if let Err(why) = client.count_publication() {
        client.refuse("rate", &why.to_string(), call.id, link);
        return Flow::Continue;
    }
    // As they were sent: what they are is between the clients.
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
        ask::ask(client, question, Form::Whole, None, Given::default(), link);
    }
    client.say(Draft::new(topic, "new_message", payload), call.id, link)
}

pub(super) fn typing(
    client: &mut Client,
    room: &str,
    name: Option<&RawValue>,
    is_typing: bool,
    call: &Call<'_>,
    link: &mut Link<'_>,
) -> Flow {
    let allowed = client.count_publication().is_ok();
    let Some(topic) = topic(client, room, Action::Write).ok().filter(|_| allowed) else {
        link.ack(call.id, None);
        return Flow::Continue;
    };
    let sid = client.sid();
    let name = name.map_or("\"Anonymous\"", RawValue::get);
    let payload = format!("{{\"user\":{name},\"is_typing\":{is_typing}}}");
    let key = format!("typing/{sid}");
    let draft = Draft::new(topic, "user_typing", payload).key(Some(key.into())).publisher(sid);
    client.say(draft, call.id, link)
}

pub(super) fn broadcast(client: &mut Client, call: &Call<'_>, link: &mut Link<'_>) -> Flow {
    let Some(message) = call.read::<Sent<'_>>() else {
        link.ack(call.id, None);
        return Flow::Continue;
    };
    let topic = everybody();
    let door = Arc::clone(&client.door);
    let allowed = client
        .connected()
        .is_some_and(|it| door.core.auth.allow(&it.who, Action::Write, &topic).is_ok());
    if !allowed {
        client.refuse("not_allowed", &NoRoom::NotAllowed.to_string(), call.id, link);
        return Flow::Continue;
    }
    if let Err(why) = client.count_publication() {
        client.refuse("rate", &why.to_string(), call.id, link);
        return Flow::Continue;
    }
    let text = message.message.map_or("\"\"", RawValue::get);
    let payload = format!("{{\"message\":{text},\"timestamp\":{:?}}}", wire::now());
    client.say(Draft::new(topic, "broadcast_message", payload), call.id, link)
}

pub(super) fn stats(client: &mut Client, call: &Call<'_>, link: &mut Link<'_>) -> Flow {
    let Some((door, who, _)) = client.acting() else { return Flow::Continue };
    let rooms = door.named_rooms(&who, COUNTED).into_iter();
    let rooms: serde_json::Map<_, _> = rooms.map(|(room, count)| (room, count.into())).collect();
    let count = door.count();
    let stats = json!({"active_users": count, "rooms": rooms, "total_connections": count});
    link.event("stats", &stats);
    link.ack(call.id, None);
    Flow::Continue
}

impl Client {
    /// Publish, and acknowledge once it is done.
    fn say(&self, draft: Draft, call: Option<u64>, link: &mut Link<'_>) -> Flow {
        let done = move |client: &Client,
                         result: Result<Receipt, TooManyTopics>,
                         link: &mut Link<'_>| match result {
            Ok(_) => link.ack(call, None),
            Err(_) => client.refuse("unpublished", super::UNPUBLISHED, call, link),
        };
        match self.door.core.hub.publish(draft) {
            Publish::Done(ready) => {
                done(self, ready.into_inner(), link);
                Flow::Continue
            }
            Publish::Wait(waiting) => Flow::Wait(
                async move {
                    let result = waiting.await;
                    let then: Then = Box::new(move |client, link| done(client, result, link));
                    then
                }
                .boxed(),
            ),
        }
    }
}
