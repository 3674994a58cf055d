//! `send_message`: a message is stored, everybody in the conversation sees it, and an agent is asked
//! for a reply.
use std::{borrow::Cow, sync::Arc};

use futures_util::FutureExt;
use quadrille_agents::{Ask, Refused};
use quadrille_core::{
    Draft, Holder, Topic,
    turn::{Failed, TurnEvent},
    user_topic,
};
use quadrille_identity::{Action, Principal};
use quadrille_store::{AddError, Added, NewMessage, Sender, TurnEnd};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Call, ConversationId, conversation::UNKNOWN};
use crate::{
    door::{self, Door},
    socketio::{Client, Flow, Link, Then},
    wire::{self, Said, text_or_number},
};

#[derive(Deserialize)]
struct Sent<'a> {
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
    conversation_id: Option<ConversationId>,
    /// Believed where nobody signs in.
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

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    #[error("{UNKNOWN}")]
    NoConversation,
    #[error("Failed to send message: its temp_id came with another message; take a new one")]
    KeyReused,
    #[error("Failed to send message: {0}")]
    Store(#[from] quadrille_store::Error),
    #[error("Failed to send message: the gateway has a defect")]
    Defect,
}

pub(super) fn send(client: &mut Client, call: &Call<'_>, link: &mut Link<'_>) -> Flow {
    let new = match read(client, call) {
        Ok(new) => new,
        Err(why) => {
            client.refuse("bad_message", &why, call.id, link);
            return Flow::Continue;
        }
    };
    let (door, call_id) = (Arc::clone(&client.door), call.id);
    let (done, sent) = oneshot::channel();
    // A task of its own: what is stored is also published and asked, though the connection ends.
    client.door.core.life.spawn("send", async move {
        // Fails if nobody wants to know any more.
        drop(done.send(store(&door, new).await));
    });
    Flow::Wait(
        async move {
            let sent = sent.await.unwrap_or(Err(Unsent::Defect));
            let then: Then = Box::new(move |client, link| match sent {
                Ok(receipt) => link.ack(call_id, Some(&receipt)),
                Err(why) => {
                    if let Unsent::Store(cause) = &why {
                        tracing::error!(error = ?cause, "a message was not stored");
                    }
                    client.refuse("unsent", &why.to_string(), call_id, link);
                }
            });
            then
        }
        .boxed(),
    )
}

fn read(client: &mut Client, call: &Call<'_>) -> Result<New, Cow<'static, str>> {
    let message: Sent<'_> = call.read().ok_or("Failed to send message: send an object")?;
    let text = message.message.as_deref().unwrap_or_default().trim();
    if text.is_empty() {
        return Err("Message text is required".into());
    }
    let is_open = client.door.is_open();
    let (_, who, user) = client.acting().ok_or("Failed to send message: connect first")?;
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
    if let Err(why) = client.count_publication() {
        return Err(format!("Failed to send message: {why}").into());
    }
    let agent = message.agent.as_deref().map(Arc::from);
    let holder = client.door.core.holder_for(&who, Some(&user), client.peer);
    Ok(New { conversation, text: text.to_owned(), user, holder, who, key, agent })
}

/// Store a message, show it, and ask. What is acknowledged is in the store.
async fn store(door: &Arc<Door>, new: New) -> Result<Value, Unsent> {
    let New { conversation, text, user, holder, who, key, agent } = new;
    let found = door.conversation(conversation, Action::Write, &who, Some(&user)).await?;
    let topic = found.and_then(|it| door::room(it.id)).ok_or(Unsent::NoConversation)?;
    let turn = Uuid::now_v7();
    let line = door.line(conversation).await;
    let store = door.memory.store.acting(holder.clone());
    let added = store.add_message(NewMessage {
        conversation,
        user: &user,
        sender: Sender::User,
        content: &text,
        metadata: None,
        key: key.as_deref(),
        turn: Some(turn),
        files: &[],
    });
    let Added { message, is_new, turn: asked, .. } = added.await.map_err(|why| match why {
        AddError::NoConversation => Unsent::NoConversation,
        AddError::KeyReused => Unsent::KeyReused,
        AddError::Store(why) => why.into(),
    })?;
    if !is_new {
        return Ok(json!({"message_id": message.id, "turn": asked, "duplicate": true}));
    }
    let said = Said { temp_id: key.as_deref(), turn: Some(turn), ..Said::of(&message) };
    let draft = Draft::new(topic.clone(), "new_message", wire::json(&said));
    let published = door.publish(draft);
    let (text, asked_in) = (text.into(), topic.clone());
    let question = Ask { topic: asked_in, user, holder, text, agent, key: None, id: Some(turn) };
    let asked = door.desk.ask(question);
    // Questions are asked in the order of their messages, but nobody waits for another's readers.
    drop(line);
    if let Err(why) = asked {
        unanswered(door, topic, turn, &why).await;
    }
    // It is stored: whoever is not told now reads it later.
    let published = published.await.inspect_err(|why| {
        tracing::warn!(error = %why, "a stored message was not published");
    });
    let position = published.ok().map(|it| it.at.to_string());
    Ok(json!({"message_id": message.id, "turn": turn, "position": position}))
}

/// Nobody will answer: that is stored and told as the end of the turn.
async fn unanswered(door: &Door, topic: Topic, turn: Uuid, why: &Refused) {
    let code = match why {
        Refused::NoAgent => "no_agent",
        Refused::Draining => "interrupted",
        Refused::KeyReused => "internal",
        Refused::TopicFull | Refused::DeskFull | Refused::Share | Refused::Topics(_) => "busy",
    };
    let content = wire::apology(&why.to_string());
    let stored = door.journal.close(turn, TurnEnd::Failed, &content).await;
    let stored = stored.inspect_err(|why| {
        tracing::error!(error = %why, "it is not stored that a message gets no reply");
    });
    let failed = TurnEvent::Failed(Failed {
        turn,
        code: code.into(),
        title: why.to_string().into(),
        message: stored.ok().flatten(),
    });
    // The one who asked is told by the same record as everybody else.
    door.publish(failed.draft(topic)).await.ok();
}
