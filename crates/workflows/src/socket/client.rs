//! One connection: what it asks, and what it is shown.
use std::sync::{Arc, Mutex, PoisonError};

use quadrille_core::{
    Delivery, Payer, Rate, Since, Topic,
    auth::{Action, Principal},
    ws::{Flow, Frames, Link, Protocol},
};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::snapshot::{Seen, Snapshot};
use crate::{
    NAME,
    door::{self, Door, Watching},
    wire,
};

/// Tags of subscriptions: there is one kind.
const TAG: u32 = 0;

/// What is to be watched.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// As the client names it.
    pub(super) chat: Value,
    /// `None` if there is none, or they may not watch it.
    pub(super) topic: Option<Topic>,
    pub(super) since: Option<Since>,
    pub(super) snapshot: Option<Snapshot>,
}

#[derive(Debug)]
pub(super) struct Client {
    door: Arc<Door>,
    who: Principal,
    payer: Payer,
    watched: Watched,
    /// What of its run was shown before the log.
    seen: Option<Seen>,
    /// What is asked about, once it is known whether it is theirs.
    asked: Arc<Mutex<Option<Watched>>>,
    _watching: Watching,
}

/// What of a chat `who` may watch. It need not be there where nobody signs in.
pub(super) async fn watched(
    door: &Door,
    who: &Principal,
    chat: Value,
    since: Option<Since>,
    snapshot: bool,
) -> Watched {
    let id = match &chat {
        Value::String(id) => id.clone(),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            return Watched { chat, ..Watched::default() };
        }
        scalar => scalar.to_string(),
    };
    let Ok(topic) = door::topic(&id) else { return Watched { chat, ..Watched::default() } };
    let may = door.is_open()
        || door.core.auth.allow(who, Action::Read, &topic).is_ok()
        || matches!(door.chat(&id, Action::Read, who).await, Ok(Some(_)));
    if !may {
        return Watched { chat, ..Watched::default() };
    }
    let snapshot = if snapshot { Snapshot::of(door, &topic, since).await } else { Ok(None) };
    let snapshot = snapshot.unwrap_or_else(|why| {
        tracing::warn!(error = %why, chat = id, "a chat cannot be shown from its store");
        None
    });
    Watched { chat, topic: Some(topic), since, snapshot }
}

// === impl Client ===

impl Client {
    pub(super) fn new(
        door: Arc<Door>,
        who: Principal,
        payer: Payer,
        watched: Watched,
        watching: Watching,
    ) -> Self {
        let asked = Arc::default();
        Self { door, who, payer, watched, seen: None, asked, _watching: watching }
    }

    /// Watch what is to be watched, and say so.
    fn connect(&mut self, link: &mut Link<'_>) {
        let Watched { chat, topic, since, snapshot } = &mut self.watched;
        let snapshot = snapshot.take();
        let since = snapshot.as_ref().map(|it| it.since).or(*since).unwrap_or(Since::Now);
        let position = match topic {
            Some(topic) => match link.inbox.subscribe(topic, since, TAG) {
                Ok(position) => Some(position),
                Err(why) => return link.out.text(&error(&format!("{why}; try again later"))),
            },
            None if chat.as_str().is_some_and(|it| !it.is_empty()) => {
                return link.out.text(&error("Conversation not found"));
            }
            None => None,
        };
        let connected = json!({
            "type": "connected",
            "chat_id": chat,
            "position": position,
            "timestamp": wire::now(),
        });
        link.out.text(&connected.to_string());
        self.seen = snapshot.and_then(|snapshot| {
            link.out.text(&snapshot.frame);
            snapshot.seen
        });
    }

    fn command(&mut self, mut object: Map<String, Value>, link: &mut Link<'_>) -> Flow {
        match object.get("type").and_then(Value::as_str) {
            Some("ping") => link.out.text(r#"{"type":"pong"}"#),
            Some("subscribe") => {
                let Some(chat) = object.remove("chat_id").filter(|it| !it.is_null()) else {
                    return Flow::Continue;
                };
                let since = object.get("since").and_then(Value::as_str);
                let since = since.and_then(|it| it.parse().ok()).map(Since::After);
                let snapshot = object.get("snapshot").and_then(Value::as_bool).unwrap_or_default();
                let (door, who) = (Arc::clone(&self.door), self.who.clone());
                let asked = Arc::clone(&self.asked);
                return Flow::Wait(Box::pin(async move {
                    let watched = watched(&door, &who, chat, since, snapshot).await;
                    *asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(watched);
                    None
                }));
            }
            _ => link.out.text(&json!({ "type": "ack", "original": object }).to_string()),
        }
        Flow::Continue
    }
}

impl Protocol for Client {
    const NAME: &'static str = NAME;

    fn begin(&mut self, link: &mut Link<'_>) {
        self.connect(link);
    }

    fn text(&mut self, text: &str, link: &mut Link<'_>) -> Flow {
        if let Err(why) = self.door.core.quotas.take(Rate::Frames, &self.payer) {
            link.out.text(&error(&why.to_string()));
            return Flow::Continue;
        }
        if quadrille_core::json::is_deep(text) {
            link.out.text(&error("nest at most 128 levels"));
            return Flow::Continue;
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(object)) => return self.command(object, link),
            Ok(_) => link.out.text(&error("send a JSON object such as {\"type\":\"ping\"}")),
            Err(_) => link.out.text(&error("Invalid JSON")),
        }
        Flow::Continue
    }

    fn binary(&mut self, link: &mut Link<'_>) -> Flow {
        link.out.text(&error("send text frames"));
        Flow::Continue
    }

    fn render(&mut self, delivery: Delivery, out: &mut Frames<'_>) {
        match delivery {
            Delivery::Record(record, _) if is_frame(&record.kind) => {
                if !self.seen.as_ref().is_some_and(|it| it.covers(&record.payload)) {
                    out.text(&record.payload);
                }
            }
            // What others publish to the chat, and turns.
            Delivery::Record(record, _) => {
                let data: Value = serde_json::from_str(&record.payload).unwrap_or_default();
                let frame = json!({
                    "type": &*record.kind,
                    "chat_id": record.topic.name(),
                    "data": data,
                });
                out.text(&frame.to_string());
            }
            Delivery::Gap(gap, _) => {
                let frame = json!({
                    "type": "gap",
                    "chat_id": gap.topic.name(),
                    "missed": gap.missed,
                    "position": gap.at,
                });
                out.text(&frame.to_string());
            }
            Delivery::End(_) => unreachable!("the pump ends the connection"),
        }
    }

    fn waited(&mut self, link: &mut Link<'_>) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(asked) = asked else { return };
        let old = std::mem::replace(&mut self.watched, asked);
        if let Some(old) = old.topic {
            link.inbox.unsubscribe(&old);
        }
        self.connect(link);
    }

    fn expires(&self) -> Option<Instant> {
        self.who.expires
    }
}

/// Whether the payload of such a record is a frame of this protocol.
fn is_frame(kind: &str) -> bool {
    kind.starts_with("workflow_") || matches!(kind, "progress" | "step_result" | "error")
}

fn error(message: &str) -> String {
    json!({ "type": "error", "message": message }).to_string()
}
