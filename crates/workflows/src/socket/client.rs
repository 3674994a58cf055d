//! One connection: what it asks, and what it is shown.
use std::{mem, net::IpAddr, sync::Arc};

use quadrille_core::{
    Delivery, NotRefreshed, Payer, Rate, Since,
    auth::{Principal, Token},
    ws::{Flow, Frames, Link, Protocol},
};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    frame::frame,
    snapshot::Seen,
    watched::{Wanted, Watched, may_watch},
};
use crate::{
    NAME,
    door::{Door, Watching},
    wire,
};

/// Tags of subscriptions: there is one kind.
const TAG: u32 = 0;

#[derive(Debug)]
pub(super) struct Client {
    door: Arc<Door>,
    who: Principal,
    peer: IpAddr,
    payer: Payer,
    watched: Watched,
    /// What of its run was shown before the log.
    seen: Option<Seen>,
    _watching: Watching,
}

/// Result of a command that had to wait.
#[derive(Debug)]
pub(super) enum Done {
    /// What is watched from now on.
    Watched(Watched),
    /// The client's new identity, and whether it may still watch the topic that it watches.
    Refreshed(Result<(Principal, bool), NotRefreshed>),
}

// === impl Client ===

impl Client {
    pub(super) fn new(
        door: Arc<Door>,
        who: Principal,
        peer: IpAddr,
        watched: Watched,
        watching: Watching,
    ) -> Self {
        let payer = Payer::new(who.user.as_ref(), peer);
        Self { door, who, peer, payer, watched, seen: None, _watching: watching }
    }

    /// Watch what is to be watched, and say so.
    fn connect(&mut self, link: &mut Link<'_>) {
        let Watched { chat, topic, since, snapshot, .. } = &mut self.watched;
        let snapshot = snapshot.take();
        let since = snapshot.as_ref().map(|it| it.since).or(*since).unwrap_or(Since::Now);
        let position = match topic {
            Some(topic) => match link.inbox.subscribe(topic, since, TAG) {
                // Where delivery begins, and not where the log stands.
                Ok(top) => Some(if let Since::After(since) = since { since } else { top }),
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

    fn command(&mut self, mut object: Map<String, Value>, link: &mut Link<'_>) -> Flow<Done> {
        match object.get("type").and_then(Value::as_str) {
            Some("ping") => link.out.text(r#"{"type":"pong"}"#),
            Some("subscribe") => {
                let Some(chat) = object.remove("chat_id").filter(|it| !it.is_null()) else {
                    return Flow::Continue;
                };
                let since = object.get("since").and_then(Value::as_str);
                let since = since.and_then(|it| it.parse().ok()).map(Since::After);
                let flag = |name: &str| object.get(name).and_then(Value::as_bool);
                let snapshot = flag("snapshot").unwrap_or_default();
                let positions = flag("positions").unwrap_or(self.watched.positions);
                let wanted = Wanted { since, snapshot, positions };
                let (door, who) = (Arc::clone(&self.door), self.who.clone());
                return Flow::Wait(Box::pin(async move {
                    Done::Watched(Watched::of(&door, &who, chat, wanted).await)
                }));
            }
            Some("refresh") => match object.get("token").and_then(Value::as_str) {
                Some(token) => return self.refresh(Token::from(token)),
                None => link.out.text(&error("refresh needs `token`, a text")),
            },
            _ => link.out.text(&json!({ "type": "ack", "original": object }).to_string()),
        }
        Flow::Continue
    }

    /// Continues the connection with a new token.
    fn refresh(&self, token: Token) -> Flow<Done> {
        let (door, who, peer) = (Arc::clone(&self.door), self.who.clone(), self.peer);
        let topic = self.watched.topic.clone();
        Flow::Wait(Box::pin(async move {
            let who = match door.core.refresh(&token, &who, peer).await {
                Ok(who) => who,
                Err(err) => return Done::Refreshed(Err(err)),
            };
            let may = match &topic {
                // What cannot be looked up now is left as it is.
                Some(topic) => may_watch(&door, &who, topic).await.unwrap_or(true),
                None => true,
            };
            Done::Refreshed(Ok((who, may)))
        }))
    }

    fn refreshed(&mut self, who: Principal, may_watch: bool, link: &mut Link<'_>) {
        let refreshed = json!({ "type": "refreshed", "expires": who.expires_in() });
        link.out.text(&refreshed.to_string());
        self.who = who;
        if may_watch {
            return;
        }
        let positions = self.watched.positions;
        let old = mem::replace(&mut self.watched, Watched { positions, ..Watched::default() });
        if let Some(topic) = old.topic {
            link.inbox.unsubscribe(&topic);
        }
        let over = json!({ "type": "unsubscribed", "chat_id": old.chat });
        link.out.text(&over.to_string());
    }
}

impl Protocol for Client {
    const NAME: &'static str = NAME;

    type Done = Done;

    fn begin(&mut self, link: &mut Link<'_>) -> Flow<Done> {
        self.connect(link);
        Flow::Continue
    }

    fn text(&mut self, text: &str, link: &mut Link<'_>) -> Flow<Done> {
        if let Err(why) = self.door.core.quotas.take(Rate::Frames, &self.payer) {
            link.out.text(&error(&why.to_string()));
            return Flow::Continue;
        }
        if quadrille_core::json::is_deep(text) {
            link.out.text(&error("nest at most 128 levels"));
            return Flow::Continue;
        }
        match quadrille_core::json::read(text) {
            Ok(Value::Object(object)) => return self.command(object, link),
            Ok(_) => link.out.text(&error("send a JSON object such as {\"type\":\"ping\"}")),
            Err(_) => link.out.text(&error("Invalid JSON")),
        }
        Flow::Continue
    }

    fn binary(&mut self, link: &mut Link<'_>) -> Flow<Done> {
        link.out.text(&error("send text frames"));
        Flow::Continue
    }

    fn render(&mut self, delivery: Delivery, out: &mut Frames<'_>) {
        match delivery {
            Delivery::Record(record, _) => {
                if !self.seen.as_ref().is_some_and(|it| it.covers(&record)) {
                    out.text(frame(&record, self.watched.positions));
                }
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
            Delivery::Deleted(..) => {
                let chat = mem::take(&mut self.watched).chat;
                self.seen = None;
                let frame = json!({ "type": "unsubscribed", "chat_id": chat, "reason": "deleted" });
                out.text(&frame.to_string());
            }
            Delivery::End(_) => unreachable!("the pump ends the connection"),
        }
    }

    fn done(&mut self, done: Done, link: &mut Link<'_>) {
        match done {
            Done::Watched(watched) => {
                let old = mem::replace(&mut self.watched, watched);
                if let Some(old) = old.topic {
                    link.inbox.unsubscribe(&old);
                }
                self.connect(link);
            }
            Done::Refreshed(Ok((who, may_watch))) => self.refreshed(who, may_watch, link),
            Done::Refreshed(Err(err)) => link.out.text(&error(&err.to_string())),
        }
    }

    fn expires(&self) -> Option<Instant> {
        self.who.expires
    }
}

fn error(message: &str) -> String {
    json!({ "type": "error", "message": message }).to_string()
}
