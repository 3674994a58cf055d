//! One connection: its commands and its deliveries.
use std::{mem, net::IpAddr, sync::Arc};

use quadrille_core::{Close, Delivery, Since};
use quadrille_edge::ws::{AcceptedClient, Flow, Frames, Link, Protocol};
use quadrille_identity::{NotRefreshed, Payer, Principal, Rate, Token};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{
    frame::frame,
    snapshot::SeenRun,
    watched::{Options, WatchedChat, may_watch},
};
use crate::{
    NAME,
    state::{State, Watcher},
    wire,
};

/// Tag of every subscription.
const TAG: u32 = 0;

/// Sent to a connection above `max_connections`; the text is the original's.
const CONNECTION_LIMIT: &str = r#"{"type":"error","message":"Maximum connections reached"}"#;

#[derive(Debug)]
pub(super) struct ChatClient {
    state: Arc<State>,
    principal: Principal,
    peer: IpAddr,
    payer: Payer,
    /// The chat to watch from the beginning.
    first: Option<Box<(Value, Options)>>,
    watched: WatchedChat,
    /// The part of the run that the snapshot has shown.
    seen: Option<SeenRun>,
    /// `None` if there are too many connections.
    watcher: Option<Watcher>,
}

/// Result of a command that had to wait.
#[derive(Debug)]
pub(super) enum CommandResult {
    /// The chat to watch from now on.
    Watched(WatchedChat),
    /// The client's new identity, and whether it may still watch the topic that it watches.
    Refreshed(Result<(Principal, bool), NotRefreshed>),
}

// === impl ChatClient ===

impl ChatClient {
    pub(super) fn new(
        state: &Arc<State>,
        accepted: AcceptedClient,
        chat: Value,
        options: Options,
    ) -> Self {
        let AcceptedClient { principal, peer, .. } = accepted;
        Self {
            state: Arc::clone(state),
            payer: Payer::new(principal.user.as_ref(), peer),
            principal,
            peer,
            first: Some(Box::new((chat, options))),
            watched: WatchedChat::default(),
            seen: None,
            watcher: state.add_watcher(),
        }
    }

    /// Looks up a chat, to watch it in place of the present one.
    fn watch(&self, chat: Value, options: Options) -> Flow<CommandResult> {
        let (state, principal) = (Arc::clone(&self.state), self.principal.clone());
        Flow::Wait(Box::pin(async move {
            CommandResult::Watched(WatchedChat::of(&state, &principal, chat, options).await)
        }))
    }

    /// Subscribes to the chat that was looked up, and acknowledges it.
    fn connect(&mut self, link: &mut Link<'_>) {
        let WatchedChat { chat, topic, since, snapshot, .. } = &mut self.watched;
        let snapshot = snapshot.take();
        let after = snapshot.as_ref().map(|snapshot| snapshot.since);
        let since = after.or(*since).unwrap_or(Since::Now);
        let position = match topic {
            Some(topic) => match link.inbox.subscribe(topic, since, TAG) {
                // Where delivery begins, which may be before the end of the log.
                Ok(top) => Some(since.position().unwrap_or(top)),
                Err(err) => return link.out.text(&error(&format!("{err}; try again later"))),
            },
            None if chat.as_str().is_some_and(|chat| !chat.is_empty()) => {
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

    fn command(
        &mut self,
        mut object: Map<String, Value>,
        link: &mut Link<'_>,
    ) -> Flow<CommandResult> {
        match object.get("type").and_then(Value::as_str) {
            Some("ping") => link.out.text(r#"{"type":"pong"}"#),
            Some("subscribe") => {
                let Some(chat) = object.remove("chat_id").filter(|chat| !chat.is_null()) else {
                    return Flow::Continue;
                };
                let since = object.get("since").and_then(Value::as_str);
                let since = since.and_then(|since| since.parse().ok()).map(Since::After);
                let flag = |name: &str| object.get(name).and_then(Value::as_bool);
                let snapshot = flag("snapshot").unwrap_or_default();
                let positions = flag("positions").unwrap_or(self.watched.positions);
                return self.watch(chat, Options { since, snapshot, positions });
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
    fn refresh(&self, token: Token) -> Flow<CommandResult> {
        let (state, before, peer) = (Arc::clone(&self.state), self.principal.clone(), self.peer);
        let topic = self.watched.topic.clone();
        Flow::Wait(Box::pin(async move {
            let principal = match state.core.refresh(&token, &before, peer).await {
                Ok(principal) => principal,
                Err(err) => return CommandResult::Refreshed(Err(err)),
            };
            let may_watch = match &topic {
                // A chat that cannot be looked up now stays watched.
                Some(topic) => may_watch(&state, &principal, topic).await.unwrap_or(true),
                None => true,
            };
            CommandResult::Refreshed(Ok((principal, may_watch)))
        }))
    }

    fn refreshed(&mut self, principal: Principal, may_watch: bool, link: &mut Link<'_>) {
        let refreshed = json!({ "type": "refreshed", "expires": principal.expires_in() });
        link.out.text(&refreshed.to_string());
        self.principal = principal;
        if may_watch {
            return;
        }
        let positions = self.watched.positions;
        let old =
            mem::replace(&mut self.watched, WatchedChat { positions, ..WatchedChat::default() });
        if let Some(topic) = old.topic {
            link.inbox.unsubscribe(&topic);
        }
        let unsubscribed = json!({ "type": "unsubscribed", "chat_id": old.chat });
        link.out.text(&unsubscribed.to_string());
    }
}

impl Protocol for ChatClient {
    const NAME: &'static str = NAME;

    type Done = CommandResult;

    fn begin(&mut self, link: &mut Link<'_>) -> Flow<CommandResult> {
        if self.watcher.is_none() {
            link.out.text(CONNECTION_LIMIT);
            return Flow::Close(Close::NORMAL);
        }
        let Some((chat, options)) = self.first.take().map(|first| *first) else {
            return Flow::Continue;
        };
        self.watch(chat, options)
    }

    fn text(&mut self, text: &str, link: &mut Link<'_>) -> Flow<CommandResult> {
        if let Err(err) = self.state.core.quotas.take(Rate::Frames, &self.payer) {
            link.out.text(&error(&err.to_string()));
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

    fn binary(&mut self, link: &mut Link<'_>) -> Flow<CommandResult> {
        link.out.text(&error("send text frames"));
        Flow::Continue
    }

    fn render(&mut self, delivery: Delivery, out: &mut Frames<'_>) {
        match delivery {
            Delivery::Record(record, _) => {
                if !self.seen.as_ref().is_some_and(|seen| seen.covers(&record)) {
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

    fn done(&mut self, done: CommandResult, link: &mut Link<'_>) {
        match done {
            CommandResult::Watched(watched) => {
                let old = mem::replace(&mut self.watched, watched);
                if let Some(old) = old.topic {
                    link.inbox.unsubscribe(&old);
                }
                self.connect(link);
            }
            CommandResult::Refreshed(Ok((principal, may_watch))) => {
                self.refreshed(principal, may_watch, link);
            }
            CommandResult::Refreshed(Err(err)) => link.out.text(&error(&err.to_string())),
        }
    }

    fn expires(&self) -> Option<Instant> {
        self.principal.expires
    }
}

fn error(message: &str) -> String {
    json!({ "type": "error", "message": message }).to_string()
}
