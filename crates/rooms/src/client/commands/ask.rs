//! Questions that a client asks for itself, and the cancellation of turns.
use std::{borrow::Cow, sync::Arc};

use futures_util::FutureExt;
use quadrille_agents::{Ask, Given, Refused, Ticket};
use quadrille_core::{Since, Topic, user_topic};
use quadrille_identity::Action;
use quadrille_socketio::SocketLink;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use uuid::Uuid;

use super::call::{Call, ConversationId, UNKNOWN};
use crate::{
    client::{
        connected::{Client, ClientFlow, Continuation, OWN},
        own::{OwnTurns, TurnForm},
    },
    given,
    topic::{self, NAMED_ROOMS, is_named_room},
    wire,
};

#[derive(Deserialize)]
struct QuestionEvent<'a> {
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    agent: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    intelligence_level: Option<&'a RawValue>,
}

const NO_USER: &str = "The token names no user; get one with the claim `sub`";

/// `llm_request`: the reply comes to the caller alone.
pub(super) fn request(
    client: &mut Client,
    call: &Call<'_>,
    link: &mut SocketLink<'_>,
) -> ClientFlow {
    let Some(request) = call.read::<QuestionEvent<'_>>() else {
        link.ack(call.id, None);
        return ClientFlow::Continue;
    };
    let text = request.message.unwrap_or_default();
    if text.trim().is_empty() {
        client.refuse("no_message", "Message text is required", call.id, link);
        return ClientFlow::Continue;
    }
    let agent = request.agent.as_deref().map(Arc::from);
    let level = request.intelligence_level.and_then(|level| {
        let value: Value = quadrille_core::json::read(level.get()).ok()?;
        given::level(wire::text_or_number(&value))
    });
    let given = Given { level, ..Given::default() };
    let call_id = call.id;
    let Some(ticket) = ask(client, &text, TurnForm::Tokens, agent, given, link) else {
        link.ack(call_id, Some(&json!({"error": "the question was not accepted"})));
        return ClientFlow::Continue;
    };
    ClientFlow::Wait(
        async move {
            let turn = ticket.id();
            // Without a key it is a turn of its own. That it could not be stored is told as its end.
            drop(ticket.begun().await);
            let then: Continuation =
                Box::new(move |_, link| link.ack(call_id, Some(&json!({"turn": turn}))));
            then
        }
        .boxed(),
    )
}

/// Asks in the topic of the client's user; a guest has one that no other client knows. `None` if
/// the question is refused, of which the client was told.
pub(super) fn ask(
    client: &mut Client,
    text: &str,
    form: TurnForm,
    agent: Option<Arc<str>>,
    given: Given,
    link: &mut SocketLink<'_>,
) -> Option<Ticket> {
    if let Err(err) = client.count_publication() {
        client.refuse("rate", &err.to_string(), None, link);
        return None;
    }
    let user = client.user.clone().unwrap_or_else(|| client.sid.to_string().into());
    if client.own.is_full() {
        let message = format!("{} questions wait already; wait for a reply first", OwnTurns::MAX);
        client.refuse("too_many", &message, None, link);
        return None;
    }
    let topic = user_topic(&user).ok()?;
    // As in every protocol: a token without a user may ask only where it has a grant.
    let core = &client.state.core;
    let has_no_user = client.user.is_none() && !client.principal.is_guest();
    if has_no_user && core.auth.allow(&client.principal, Action::Write, &topic).is_err() {
        client.refuse("no_user", NO_USER, None, link);
        return None;
    }
    let holder = core.holder_for(&client.principal, Some(&user), client.info.peer);
    let (text, topic_of) = (text.into(), topic.clone());
    let question = Ask { topic: topic_of, user, holder, text, agent, key: None, id: None };
    let refused = |client: &Client, err: &Refused, link: &mut SocketLink<'_>| {
        client.refuse("not_asked", &err.to_string(), None, link);
    };
    // Before it is asked, so that none of its records is missed.
    if let Some(tag) = link.tag(&topic) {
        link.retag(&topic, tag | OWN);
    } else if let Err(err) = link.subscribe(&topic, Since::Now, OWN) {
        refused(client, &err.into(), link);
        return None;
    }
    // Not waited for, so that none of its records comes before it is known here.
    match client.state.desk.put(question, given) {
        Ok(ticket) => {
            client.own.add(ticket.id(), form);
            link.note(ticket.id(), form.tag());
            Some(ticket)
        }
        Err(err) => {
            refused(client, &err, link);
            None
        }
    }
}

#[derive(Deserialize)]
struct CancelEvent<'a> {
    turn: Option<Uuid>,
    conversation_id: Option<ConversationId>,
    #[serde(borrow, default)]
    room: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    topic: Option<Cow<'a, str>>,
}

const NOTHING: &str = "no turn runs there";

/// Cancels a turn: the one that is named, the one that runs in a topic, or all of the caller's own.
/// One that is named alone may be in any topic that the caller follows and may write to.
pub(super) fn cancel(
    client: &mut Client,
    call: &Call<'_>,
    link: &mut SocketLink<'_>,
) -> ClientFlow {
    let Some(cancel) = call.read::<CancelEvent<'_>>() else {
        client.refuse("bad_payload", "cancel takes an object", call.id, link);
        return ClientFlow::Continue;
    };
    let (state, who, user) = client.acting();
    let named = cancel.room.map(|room| format!("{NAMED_ROOMS}{room}"));
    let named = named.or(cancel.topic.map(Cow::into_owned));
    // A turn may be named alone: one of the caller's own, or of a topic that the caller follows.
    let is_own = |turn: &Uuid| client.own.turns().any(|own| own == *turn);
    let is_alone = named.is_none() && cancel.conversation_id.is_none();
    let followed = cancel
        .turn
        .filter(|turn| is_alone && !is_own(turn))
        .and_then(|turn| state.desk.find(turn))
        .filter(|ticket| link.tag(ticket.topic()).is_some());
    let followed = followed.map(|ticket| Ok(ticket.topic().clone()));
    let topic = named.as_deref().map(Topic::from_channel).or(followed);
    // However a conversation is named, it is for its members.
    let conversation =
        topic.as_ref().and_then(|topic| topic::conversation_of(topic.as_ref().ok()?));
    let conversation = conversation.map(|id| ConversationId(Some(id)));
    if let Some(id) = cancel.conversation_id.or(conversation) {
        let (ConversationId(id), turn, call_id) = (id, cancel.turn, call.id);
        return ClientFlow::Wait(
            async move {
                let found = match id {
                    Some(id) => state.conversation(id, Action::Write, &who, user.as_deref()).await,
                    None => Ok(None),
                };
                let then: Continuation = Box::new(move |client, link| {
                    match found.ok().flatten().and_then(|found| topic::of_conversation(found.id)) {
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
        state.core.auth.allow(&who, Action::Write, topic).is_ok()
            || (is_named_room(topic) && state.takes_guests())
    });
    match topic {
        Some(topic) => end(client, &topic, cancel.turn, call.id, link),
        None => client.refuse("no_turn", NOTHING, call.id, link),
    }
    ClientFlow::Continue
}

fn end(
    client: &Client,
    topic: &Topic,
    turn: Option<Uuid>,
    call: Option<u64>,
    link: &mut SocketLink<'_>,
) {
    let desk = &client.state.desk;
    let ticket = match turn {
        Some(turn) => desk.find(turn).filter(|ticket| ticket.topic() == topic),
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
    client: &Client,
    turn: Option<Uuid>,
    call: Option<u64>,
    link: &mut SocketLink<'_>,
) -> ClientFlow {
    let meant = client.own.turns().filter(|id| turn.is_none_or(|turn| turn == *id));
    let desk = &client.state.desk;
    let found: Vec<_> = meant.filter_map(|id| desk.find(id)).collect();
    if found.is_empty() {
        client.refuse("no_turn", NOTHING, call, link);
        return ClientFlow::Continue;
    }
    let ids: Vec<Value> = found.iter().map(|ticket| ticket.id().to_string().into()).collect();
    for ticket in &found {
        desk.cancel(ticket);
    }
    link.ack(call, Some(&json!({"turns": ids})));
    ClientFlow::Continue
}
