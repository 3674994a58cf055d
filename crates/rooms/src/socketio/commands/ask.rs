//! Questions that a client asks for itself, and the end of turns.
use std::{borrow::Cow, sync::Arc};

use futures_util::FutureExt;
use quadrille_agents::{Ask, Given, Refused};
use quadrille_core::{Since, Topic, user_topic};
use quadrille_identity::Action;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use uuid::Uuid;

use super::{Call, ConversationId, conversation::UNKNOWN};
use crate::{
    door, given,
    render::NAMED,
    socketio::{
        Client, Flow, Link, Then,
        client::OWN,
        own::{Form, Owned},
    },
    wire,
};

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    agent: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    intelligence_level: Option<&'a RawValue>,
}

const NO_USER: &str = "The token names no user; get one with the claim `sub`";

/// `llm_request`: the reply comes to the caller alone.
pub(super) fn request(client: &mut Client, call: &Call<'_>, link: &mut Link<'_>) -> Flow {
    let Some(request) = call.read::<Request<'_>>() else {
        link.ack(call.id, None);
        return Flow::Continue;
    };
    let text = request.message.unwrap_or_default();
    if text.trim().is_empty() {
        client.refuse("no_message", "Message text is required", call.id, link);
        return Flow::Continue;
    }
    let agent = request.agent.as_deref().map(Arc::from);
    let level = request.intelligence_level.and_then(|it| {
        let value: Value = quadrille_core::json::read(it.get()).ok()?;
        given::level(wire::text_or_number(&value))
    });
    let given = Given { level, ..Given::default() };
    if let Some(turn) = ask(client, &text, Form::Tokens, agent, given, link) {
        link.ack(call.id, Some(&json!({"turn": turn})));
    } else {
        link.ack(call.id, Some(&json!({"error": "the question is not taken"})));
    }
    Flow::Continue
}

/// Ask in the topic of the client's user; a guest has one that nobody else knows. Tells the client
/// itself if it cannot be.
pub(super) fn ask(
    client: &mut Client,
    text: &str,
    form: Form,
    agent: Option<Arc<str>>,
    given: Given,
    link: &mut Link<'_>,
) -> Option<Uuid> {
    if let Err(why) = client.count_publication() {
        client.refuse("rate", &why.to_string(), None, link);
        return None;
    }
    let (door, sid) = (Arc::clone(&client.door), client.sid());
    let peer = client.peer;
    let connected = client.connected()?;
    let user = connected.user.clone().unwrap_or_else(|| sid.to_string().into());
    if connected.own.is_full() {
        let message = format!("{} questions wait already; wait for a reply first", Owned::MAX);
        client.refuse("too_many", &message, None, link);
        return None;
    }
    let topic = user_topic(&user).ok()?;
    // As on every door: whose token names no user asks only where it has a grant.
    let is_nobody = connected.user.is_none() && !connected.who.is_guest();
    if is_nobody && door.core.auth.allow(&connected.who, Action::Write, &topic).is_err() {
        client.refuse("no_user", NO_USER, None, link);
        return None;
    }
    let holder = door.core.holder_for(&connected.who, Some(&user), peer);
    let (text, topic_of) = (text.into(), topic.clone());
    let question = Ask { topic: topic_of, user, holder, text, agent, key: None, id: None };
    let refused = |client: &Client, why: &Refused, link: &mut Link<'_>| {
        client.refuse("not_asked", &why.to_string(), None, link);
    };
    // Before it is asked: nothing of it may be missed.
    if let Some(tag) = link.inbox.tag(&topic) {
        link.inbox.retag(&topic, tag | OWN);
        connected.follows(&topic, tag | OWN, None);
    } else {
        match link.inbox.subscribe(&topic, Since::Now, OWN) {
            Ok(at) => connected.follows(&topic, OWN, Some(at)),
            Err(why) => {
                refused(client, &why.into(), link);
                return None;
            }
        }
    }
    match door.desk.ask_with(question, given) {
        Ok(ticket) => {
            client.connected()?.asked(ticket.id(), form);
            Some(ticket.id())
        }
        Err(why) => {
            refused(client, &why, link);
            None
        }
    }
}

#[derive(Deserialize)]
struct Cancel<'a> {
    turn: Option<Uuid>,
    conversation_id: Option<ConversationId>,
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    topic: Option<Cow<'a, str>>,
}

const NOTHING: &str = "no turn runs there";

/// End a turn: the one that is named, the one that runs in a room, or all of the caller's own.
pub(super) fn cancel(client: &mut Client, call: &Call<'_>, link: &mut Link<'_>) -> Flow {
    let Some(cancel) = call.read::<Cancel<'_>>() else {
        client.refuse("bad_payload", "cancel takes an object", call.id, link);
        return Flow::Continue;
    };
    let Some((door, who, user)) = client.acting() else { return Flow::Continue };
    let named = cancel.room.map(|room| format!("room:{NAMED}{room}"));
    let named = named.or(cancel.topic.map(Cow::into_owned));
    let topic = named.as_deref().map(Topic::from_channel);
    // However a conversation is named, it is for who is in it.
    let conversation = topic.as_ref().and_then(|it| door::conversation(it.as_ref().ok()?));
    let conversation = conversation.map(|id| ConversationId(Some(id)));
    if let Some(id) = cancel.conversation_id.or(conversation) {
        let (ConversationId(id), turn, call_id) = (id, cancel.turn, call.id);
        return Flow::Wait(
            async move {
                let found = match id {
                    Some(id) => door.conversation(id, Action::Write, &who, user.as_deref()).await,
                    None => Ok(None),
                };
                let then: Then = Box::new(move |client, link| {
                    match found.ok().flatten().and_then(|it| door::room(it.id)) {
                        Some(topic) => end(client, &topic, turn, call_id, link),
                        None => client.refuse("no_conversation", UNKNOWN, call_id, link),
                    }
                });
                then
            }
            .boxed(),
        );
    }
    let Some(topic) = topic else { return cancel_own(client, cancel.turn, call.id, link) };
    let topic = topic.ok().filter(|topic| {
        let is_named = topic.as_str().starts_with("room:@");
        door.core.auth.allow(&who, Action::Write, topic).is_ok()
            || (is_named && door.takes_guests())
    });
    match topic {
        Some(topic) => end(client, &topic, cancel.turn, call.id, link),
        None => client.refuse("no_turn", NOTHING, call.id, link),
    }
    Flow::Continue
}

fn end(
    client: &mut Client,
    topic: &Topic,
    turn: Option<Uuid>,
    call: Option<u64>,
    link: &mut Link<'_>,
) {
    let desk = &client.door.desk;
    let ticket = match turn {
        Some(turn) => desk.find(turn).filter(|it| it.topic() == topic),
        None => desk.current(topic),
    };
    match ticket {
        Some(ticket) => {
            desk.cancel(&ticket);
            link.ack(call, Some(&json!({"turn": ticket.id()})));
        }
        None => client.refuse("no_turn", NOTHING, call, link),
    }
}

fn cancel_own(
    client: &mut Client,
    turn: Option<Uuid>,
    call: Option<u64>,
    link: &mut Link<'_>,
) -> Flow {
    let own: Vec<_> = client.connected().map(|it| it.own.turns().collect()).unwrap_or_default();
    let meant: Vec<_> = own.into_iter().filter(|id| turn.is_none_or(|it| it == *id)).collect();
    let desk = &client.door.desk;
    let found: Vec<_> = meant.iter().filter_map(|id| desk.find(*id)).collect();
    if found.is_empty() {
        client.refuse("no_turn", NOTHING, call, link);
        return Flow::Continue;
    }
    let ids: Vec<Value> = found.iter().map(|it| it.id().to_string().into()).collect();
    for ticket in &found {
        desk.cancel(ticket);
    }
    link.ack(call, Some(&json!({"turns": ids})));
    Flow::Continue
}
