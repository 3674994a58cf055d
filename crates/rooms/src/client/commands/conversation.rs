//! Joining and leaving a conversation, and typing in it. An event without a `conversation_id` is
//! about a named room.
use std::{borrow::Cow, sync::Arc};

use futures_util::FutureExt;
use quadrille_core::{Draft, Topic};
use quadrille_identity::Action;
use quadrille_socketio::SocketLink;
use quadrille_store::Conversation;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    call::{Call, ConversationId, RoomTarget, UNKNOWN},
    named,
};
use crate::{
    client::connected::{Client, ClientFlow, Continuation, JoinOptions},
    topic,
    wire::{self, UserId},
};

const NO_ID: &str = "conversation_id is required";

fn id(value: Option<&Value>) -> Result<i64, &'static str> {
    let value = value.filter(|value| !value.is_null() && **value != "").ok_or(NO_ID)?;
    let ConversationId(id) = ConversationId::deserialize(value).map_err(|_| UNKNOWN)?;
    id.ok_or(UNKNOWN)
}

pub(super) fn join(client: &mut Client, call: &Call<'_>, link: &mut SocketLink<'_>) -> ClientFlow {
    let Some(target) = call.read::<RoomTarget<'_>>() else {
        client.refuse("bad_payload", "Failed to join room", call.id, link);
        return ClientFlow::Continue;
    };
    if !target.is_conversation(client) {
        return named::join(client, &target, call, link);
    }
    let id = match id(target.conversation_id.as_ref()) {
        Ok(id) => id,
        Err(err) => {
            client.refuse("no_conversation", err, call.id, link);
            return ClientFlow::Continue;
        }
    };
    let (state, who, user) = client.acting();
    let (options, call_id) = (target.options, call.id);
    ClientFlow::Wait(
        async move {
            let found = state.conversation(id, Action::Read, &who, user.as_deref()).await;
            let then: Continuation = Box::new(move |client, link| match found {
                Ok(Some(conversation)) => joined(client, &conversation, &options, call_id, link),
                Ok(None) => client.refuse("no_conversation", UNKNOWN, call_id, link),
                Err(err) => {
                    tracing::error!(error = %err, "cannot look for a conversation");
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
    options: &JoinOptions,
    call: Option<u64>,
    link: &mut SocketLink<'_>,
) {
    let id = conversation.id;
    let Some(topic) = topic::of_conversation(id) else { return };
    match client.subscribe(&topic, options, link) {
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
        Err(err) => client.refuse("not_seen", &err.to_string(), call, link),
    }
}

pub(super) fn leave(client: &mut Client, call: &Call<'_>, link: &mut SocketLink<'_>) -> ClientFlow {
    let Some(target) = call.read::<RoomTarget<'_>>() else {
        client.refuse("bad_payload", "Failed to leave room", call.id, link);
        return ClientFlow::Continue;
    };
    if !target.is_conversation(client) {
        return named::leave(client, &target, call, link);
    }
    match id(target.conversation_id.as_ref()) {
        Ok(id) => {
            if let Some(topic) = topic::of_conversation(id) {
                client.unsubscribe(&topic, link);
            }
            let answer = json!({"conversation_id": id, "message": "Left conversation"});
            link.event("left_room", &answer);
            link.ack(call.id, None);
        }
        Err(err) => client.refuse("no_conversation", err, call.id, link),
    }
    ClientFlow::Continue
}

#[derive(Deserialize)]
struct TypingEvent<'a> {
    conversation_id: Option<Value>,
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    user_name: Option<&'a RawValue>,
    #[serde(default)]
    is_typing: Option<bool>,
}

/// `typing`. Errors are not reported: the next one comes in a moment.
pub(super) fn typing(
    client: &mut Client,
    call: &Call<'_>,
    link: &mut SocketLink<'_>,
) -> ClientFlow {
    let Some(typing) = call.read::<TypingEvent<'_>>() else {
        link.ack(call.id, None);
        return ClientFlow::Continue;
    };
    let is_typing = typing.is_typing.unwrap_or_default();
    let Some(given) = &typing.conversation_id else {
        let room = typing.room.as_deref().unwrap_or(named::DEFAULT);
        return named::typing(client, room, typing.user_name, is_typing, call, link);
    };
    let (state, who, user) = client.acting();
    let allowed = client.count_publication().is_ok();
    let (Some(user), Ok(id), true) = (user, id(Some(given)), allowed) else {
        link.ack(call.id, None);
        return ClientFlow::Continue;
    };
    let (sid, call_id) = (client.sid, call.id);
    ClientFlow::Wait(
        async move {
            let found = state.conversation(id, Action::Write, &who, Some(&user)).await;
            if let (Ok(Some(_)), Some(topic)) = (found, topic::of_conversation(id)) {
                let name = match who.name {
                    Some(name) => Some(name.to_string()),
                    None => state.storage.store.user_name(&user).await.ok().flatten(),
                };
                let draft = typed(topic, &user, name.as_deref(), is_typing, id).publisher(sid);
                state.publish(draft).await.ok();
            }
            let then: Continuation = Box::new(move |_, link| link.ack(call_id, None));
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
    // Only the last one of a user is kept.
    let key = format!("typing/{user}");
    Draft::new(topic, "user_typing", wire::json(&payload)).key(Some(key.into()))
}
