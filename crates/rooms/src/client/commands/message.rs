//! `send_message`: stores a message, shows it to everybody in the conversation, and asks an agent
//! for a reply.
use std::{borrow::Cow, sync::Arc};

use futures_util::FutureExt;
use quadrille_agents::{Ask, Code, Ending, Given, Refused};
use quadrille_core::{
    Draft, Holder, Topic,
    turn::{Failed, TurnEvent},
    user_topic,
};
use quadrille_identity::{Action, Principal};
use quadrille_socketio::SocketLink;
use quadrille_store::{AddError, Added, NewMessage, NewTurn, Sender};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::call::{Call, ConversationId, UNKNOWN};
use crate::{
    client::connected::{Client, ClientFlow, Continuation},
    state::State,
    topic,
    wire::{self, MessageView, text_or_number},
};

#[derive(Deserialize)]
struct SendMessageEvent<'a> {
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
    conversation_id: Option<ConversationId>,
    /// Believed in open mode.
    #[serde(default)]
    user_id: Option<Value>,
    /// Makes it safe to send again, by either name.
    #[serde(default)]
    temp_id: Option<Value>,
    #[serde(default)]
    client_msg_id: Option<Value>,
    #[serde(borrow, default)]
    agent: Option<Cow<'a, str>>,
}

/// Bytes of a key that makes a message safe to send again.
const KEY: usize = 255;

/// A message that can be stored.
struct New {
    conversation: i64,
    text: String,
    user: Arc<str>,
    holder: Holder,
    who: Principal,
    key: Option<String>,
    agent: Option<Arc<str>>,
}

/// Error of a message that was not sent.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    #[error("{UNKNOWN}")]
    NoConversation,
    #[error("Failed to send message: its temp_id came with another message; take a new one")]
    KeyReused,
    #[error("Failed to send message: {0}")]
    Store(#[from] quadrille_store::Error),
    #[error("Failed to send message: internal error")]
    Defect,
}

pub(super) fn send(client: &mut Client, call: &Call<'_>, link: &mut SocketLink<'_>) -> ClientFlow {
    let new = match read(client, call) {
        Ok(new) => new,
        Err(err) => {
            client.refuse("bad_message", &err, call.id, link);
            return ClientFlow::Continue;
        }
    };
    let (state, call_id) = (Arc::clone(&client.state), call.id);
    let (done, sent) = oneshot::channel();
    // A task of its own: a stored message is also published and asked if the connection ends.
    client.state.core.life.spawn("send", async move {
        // Fails if the connection has ended.
        drop(done.send(store(&state, new).await));
    });
    ClientFlow::Wait(
        async move {
            let sent = sent.await.unwrap_or(Err(Unsent::Defect));
            let then: Continuation = Box::new(move |client, link| match sent {
                Ok(receipt) => link.ack(call_id, Some(&receipt)),
                Err(err) => {
                    if let Unsent::Store(cause) = &err {
                        tracing::error!(error = ?cause, "a message was not stored");
                    }
                    client.refuse("unsent", &err.to_string(), call_id, link);
                }
            });
            then
        }
        .boxed(),
    )
}

fn read(client: &Client, call: &Call<'_>) -> Result<New, Cow<'static, str>> {
    let message: SendMessageEvent<'_> =
        call.read().ok_or("Failed to send message: send an object")?;
    let text = message.message.as_deref().unwrap_or_default().trim();
    if text.is_empty() {
        return Err("Message text is required".into());
    }
    let is_open = client.state.is_open();
    let (_, who, user) = client.acting();
    let claimed = message.user_id.as_ref().filter(|_| is_open).and_then(text_or_number);
    let user = user.or_else(|| claimed.map(Into::into));
    let user = user.filter(|user| user_topic(user).is_ok());
    let (Some(id), Some(user)) = (message.conversation_id, user) else {
        return Err("conversation_id and user_id are required".into());
    };
    let ConversationId(Some(conversation)) = id else { return Err(UNKNOWN.into()) };
    let key = message.temp_id.as_ref().or(message.client_msg_id.as_ref()).and_then(text_or_number);
    if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > KEY) {
        return Err("Failed to send message: temp_id has 1 to 255 bytes".into());
    }
    if let Err(err) = client.count_publication() {
        return Err(format!("Failed to send message: {err}").into());
    }
    let agent = message.agent.as_deref().map(Arc::from);
    let holder = client.state.core.holder_for(&who, Some(&user), client.info.peer);
    Ok(New { conversation, text: text.to_owned(), user, holder, who, key, agent })
}

/// Stores a message, shows it, and asks. An acknowledged message is in the store.
async fn store(state: &Arc<State>, new: New) -> Result<Value, Unsent> {
    let New { conversation, text, user, holder, who, key, agent } = new;
    let found = state.conversation(conversation, Action::Write, &who, Some(&user)).await?;
    let topic =
        found.and_then(|found| topic::of_conversation(found.id)).ok_or(Unsent::NoConversation)?;
    let turn = Uuid::now_v7();
    let agent_name = state.desk.agent_name(agent.as_deref()).to_owned();
    let write_lock = state.write_lock(conversation).await;
    let store = state.storage.store.acting(holder.clone());
    let added = store.add_message(NewMessage {
        conversation,
        user: &user,
        sender: Sender::User,
        content: &text,
        metadata: None,
        key: key.as_deref(),
        turn: Some(NewTurn { id: turn, topic: topic.as_str(), agent: &agent_name }),
        files: &[],
    });
    let Added { message, is_new, turn: asked, .. } = added.await.map_err(|err| match err {
        AddError::NoConversation => Unsent::NoConversation,
        AddError::KeyReused => Unsent::KeyReused,
        AddError::Store(err) => err.into(),
    })?;
    if !is_new {
        return Ok(json!({"message_id": message.id, "turn": asked, "duplicate": true}));
    }
    let said =
        MessageView { temp_id: key.as_deref(), turn: Some(turn), ..MessageView::of(&message) };
    let draft = Draft::new(topic.clone(), "new_message", wire::json(&said));
    let published = state.publish(draft);
    let (text, asked_in) = (text.into(), topic.clone());
    let key = key.and_then(|key| key.parse().ok());
    let question = Ask { topic: asked_in, user, holder, text, agent, key, id: Some(turn) };
    // It is stored: this waits for nothing.
    let asked = state.desk.put(question, Given::default());
    // Questions are asked in the order of their messages, and wait for no reader of another.
    drop(write_lock);
    if let Err(err) = asked {
        unanswered(state, topic, turn, &err).await;
    }
    // It is stored, and read later by clients that do not get it now.
    let published = published.await.inspect_err(|err| {
        tracing::warn!(error = %err, "a stored message was not published");
    });
    let position = published.ok().map(|receipt| receipt.at.to_string());
    Ok(json!({"message_id": message.id, "turn": turn, "position": position}))
}

/// Stores and publishes the end of a turn that no agent answers.
async fn unanswered(state: &State, topic: Topic, turn: Uuid, err: &Refused) {
    let code = match err {
        Refused::NoAgent => Code::NoAgent,
        Refused::Draining => Code::Interrupted,
        Refused::KeyReused => Code::Internal,
        Refused::TopicFull | Refused::DeskFull | Refused::Share | Refused::Topics(_) => Code::Busy,
    };
    let sentence = wire::apology(&err.to_string());
    let stored = state.journal.refuse(turn, &Ending::failed(code), &sentence).await;
    let failed = TurnEvent::Failed(Failed {
        turn,
        code: code.as_str().into(),
        title: err.to_string().into(),
        text: "".into(),
        message: stored.ok().flatten(),
        ..Failed::default()
    });
    // The client that asked is told by the same record as everybody else.
    state.publish(failed.draft(topic)).await.ok();
}
