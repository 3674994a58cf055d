//! One connection: what it asks, and what it is shown.
use std::sync::{Arc, Mutex, PoisonError};

use quadrille_core::{
    Delivery, Payer, Rate, Since, Topic,
    auth::{Action, Principal},
    ws::{Flow, Frames, Link, Protocol},
};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::{
    NAME,
    door::{self, Door, Watching},
    wire,
};

/// Tags of subscriptions: there is one kind.
const TAG: u32 = 0;

/// A chat and its topic.
type Asked = (Value, Option<Topic>);

#[derive(Debug)]
pub(super) struct Client {
    door: Arc<Door>,
    who: Principal,
    payer: Payer,
    /// What is watched: as the client names it, and its topic if they may.
    chat: Value,
    topic: Option<Topic>,
    since: Option<Since>,
    /// What is asked about, once it is known whether it is theirs.
    asked: Arc<Mutex<Option<Asked>>>,
    _watching: Watching,
}

/// The topic of `chat`, if `who` may watch it. A chat need not be there where nobody signs in.
pub(super) async fn watched(door: &Door, who: &Principal, chat: &Value) -> Option<Topic> {
    let id = match chat {
        Value::String(id) => id.clone(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
        scalar => scalar.to_string(),
    };
    let topic = door::topic(&id).ok()?;
    let may = door.is_open()
        || door.core.auth.allow(who, Action::Read, &topic).is_ok()
        || matches!(door.chat(&id, Action::Read, who).await, Ok(Some(_)));
    may.then_some(topic)
}

// === impl Client ===

impl Client {
    pub(super) fn new(
        door: Arc<Door>,
        who: Principal,
        payer: Payer,
        chat: Value,
        topic: Option<Topic>,
        since: Option<Since>,
        watching: Watching,
    ) -> Self {
        let asked = Arc::default();
        Self { door, who, payer, chat, topic, since, asked, _watching: watching }
    }

    /// Watch what is to be watched, and say so.
    fn connect(&mut self, link: &mut Link<'_>) {
        let since = self.since.take().unwrap_or(Since::Now);
        let position = match &self.topic {
            Some(topic) => match link.inbox.subscribe(topic, since, TAG) {
                Ok(position) => Some(position),
                Err(why) => return link.out.text(&error(&format!("{why}; try again later"))),
            },
            None if self.chat.as_str().is_some_and(|it| !it.is_empty()) => {
                return link.out.text(&error("Conversation not found"));
            }
            None => None,
        };
        let connected = json!({
            "type": "connected",
            "chat_id": self.chat,
            "position": position,
            "timestamp": wire::now(),
        });
        link.out.text(&connected.to_string());
    }

    fn command(&mut self, mut object: Map<String, Value>, link: &mut Link<'_>) -> Flow {
        match object.get("type").and_then(Value::as_str) {
            Some("ping") => link.out.text(r#"{"type":"pong"}"#),
            Some("subscribe") => {
                let Some(chat) = object.remove("chat_id").filter(|it| !it.is_null()) else {
                    return Flow::Continue;
                };
                let since = object.get("since").and_then(Value::as_str);
                self.since = since.and_then(|it| it.parse().ok()).map(Since::After);
                let (door, who) = (Arc::clone(&self.door), self.who.clone());
                let asked = Arc::clone(&self.asked);
                return Flow::Wait(Box::pin(async move {
                    let topic = watched(&door, &who, &chat).await;
                    *asked.lock().unwrap_or_else(PoisonError::into_inner) = Some((chat, topic));
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
            Delivery::Record(record, _) if is_frame(&record.kind) => out.text(&record.payload),
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
        let Some((chat, topic)) = asked else { return };
        if let Some(old) = self.topic.take() {
            link.inbox.unsubscribe(&old);
        }
        (self.chat, self.topic) = (chat, topic);
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
