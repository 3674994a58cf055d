//! Coming into a conversation, leaving it, and typing in it. An event without a `conversation_id` is
//! about a named room.
use std::{borrow::Cow, sync::Arc};

use futures_util::FutureExt;
use quadrille_core::{Draft, Topic};
use quadrille_identity::Action;
use quadrille_store::Conversation;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{Call, ConversationId, From, named};
use crate::{
    door,
    socketio::{Client, Flow, Link, Then},
    wire::{self, UserId},
};

/// What names a room of either kind.
#[derive(Deserialize)]
pub(super) struct Place<'a> {
    pub(super) conversation_id: Option<Value>,
    #[serde(borrow, default)]
    pub(super) room: Option<Cow<'a, str>>,
    #[serde(flatten)]
    pub(super) from: From,
}

impl Place<'_> {
    /// Whether a conversation is meant. Clients that signed in say `conversation_id`; where it is
    /// missing, they are told so, unless they name a room.
    pub(super) fn is_conversation(&self, client: &mut Client) -> bool {
        let signed_in = client.connected().is_some_and(|it| it.who.user.is_some());
        self.conversation_id.is_some() || (signed_in && self.room.is_none())
    }
}

const NO_ID: &str = "conversation_id is required";
pub(super) const UNKNOWN: &str = "Conversation not found";

fn id(value: Option<&Value>) -> Result<i64, &'static str> {
    let value = value.filter(|it| !it.is_null() && **it != "").ok_or(NO_ID)?;
    let ConversationId(id) = ConversationId::deserialize(value).map_err(|_| UNKNOWN)?;
    id.ok_or(UNKNOWN)
}

pub(super) fn join(client: &mut Client, call: &Call<'_>, link: &mut Link<'_>) -> Flow {
    let Some(place) = call.read::<Place<'_>>() else {
        client.refuse("bad_payload", "Failed to join room", call.id, link);
        return Flow::Continue;
    };
    if !place.is_conversation(client) {
        return named::join(client, &place, call, link);
    }
    let id = match id(place.conversation_id.as_ref()) {
        Ok(id) => id,
        Err(why) => {
            client.refuse("no_conversation", why, call.id, link);
            return Flow::Continue;
        }
    };
    let Some((door, who, user)) = client.acting() else { return Flow::Continue };
    let (from, call_id) = (place.from, call.id);
    Flow::Wait(
        async move {
            let found = door.conversation(id, Action::Read, &who, user.as_deref()).await;
            let then: Then = Box::new(move |client, link| match found {
                Ok(Some(conversation)) => joined(client, &conversation, &from, call_id, link),
                Ok(None) => client.refuse("no_conversation", UNKNOWN, call_id, link),
                Err(why) => {
                    tracing::error!(error = %why, "cannot look for a conversation");
                    client.refuse("store", "Failed to join room", call_id, link);
                }
            });
            then
        }
        .boxed(),
    )
}

fn joined(
    client: &mut Client,
    conversation: &Conversation,
    from: &From,
    call: Option<u64>,
    link: &mut Link<'_>,
) {
    let id = conversation.id;
    let Some(topic) = door::room(id) else { return };
    match client.see(&topic, from, link) {
        Ok(at) => {
            let answer = json!({
                "conversation_id": id,
                "room": format!("conversation_{id}"),
                "message": format!("Joined conversation: {}", conversation.title),
                "position": at.to_string(),
            });
            link.event("joined_room", &answer);
            link.ack(call, Some(&json!({"position": at.to_string()})));
        }
        Err(why) => client.refuse("not_seen", &why.to_string(), call, link),
    }
}

pub(super) fn leave(client: &mut Client, call: &Call<'_>, link: &mut Link<'_>) -> Flow {
    let Some(place) = call.read::<Place<'_>>() else {
        client.refuse("bad_payload", "Failed to leave room", call.id, link);
        return Flow::Continue;
    };
    if !place.is_conversation(client) {
        return named::leave(client, &place, call, link);
    }
    match id(place.conversation_id.as_ref()) {
        Ok(id) => {
            if let Some(topic) = door::room(id) {
                client.unsee(&topic, link);
            }
            let answer = json!({"conversation_id": id, "message": "Left conversation"});
            link.event("left_room", &answer);
            link.ack(call.id, None);
        }
        Err(why) => client.refuse("no_conversation", why, call.id, link),
    }
    Flow::Continue
}

#[derive(Deserialize)]
struct Keys<'a> {
    conversation_id: Option<Value>,
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    user_name: Option<&'a RawValue>,
    #[serde(default)]
    is_typing: Option<bool>,
}

/// What is wrong with it is not told: the next one comes in a moment.
pub(super) fn typing(client: &mut Client, call: &Call<'_>, link: &mut Link<'_>) -> Flow {
    let Some(typing) = call.read::<Keys<'_>>() else {
        link.ack(call.id, None);
        return Flow::Continue;
    };
    let is_typing = typing.is_typing.unwrap_or_default();
    let Some(given) = &typing.conversation_id else {
        let room = typing.room.as_deref().unwrap_or(named::DEFAULT);
        return named::typing(client, room, typing.user_name, is_typing, call, link);
    };
    let acting = client.acting().zip(id(Some(given)).ok());
    let allowed = client.count_publication().is_ok();
    let (Some(((door, who, Some(user)), id)), true) = (acting, allowed) else {
        link.ack(call.id, None);
        return Flow::Continue;
    };
    let (sid, call_id) = (client.sid(), call.id);
    Flow::Wait(
        async move {
            let found = door.conversation(id, Action::Write, &who, Some(&user)).await;
            if let (Ok(Some(_)), Some(topic)) = (found, door::room(id)) {
                let name = match who.name {
                    Some(name) => Some(name.to_string()),
                    None => door.memory.store.user_name(&user).await.ok().flatten(),
                };
                let draft = typed(topic, &user, name.as_deref(), is_typing, id).publisher(sid);
                door.publish(draft).await.ok();
            }
            let then: Then = Box::new(move |_, link| link.ack(call_id, None));
            then
        }
        .boxed(),
    )
}

fn typed(topic: Topic, user: &Arc<str>, name: Option<&str>, is_typing: bool, id: i64) -> Draft {
    let payload = json!({
        "user_id": UserId(user),
        "username": name.unwrap_or(user),
        "is_typing": is_typing,
        "conversation_id": id,
    });
    // Only whether they type now is worth knowing.
    let key = format!("typing/{user}");
    Draft::new(topic, "user_typing", wire::json(&payload)).key(Some(key.into()))
}
