//! The chat that a connection watches.
use quadrille_core::{Since, Topic};
use quadrille_identity::{Action, Principal};
use serde_json::Value;

use super::snapshot::RunSnapshot;
use crate::state::{State, chat_topic};

#[derive(Debug, Default)]
pub(super) struct WatchedChat {
    /// Id of the chat, as the client sent it.
    pub(super) chat: Value,
    /// `None` if there is no such chat, or the client may not watch it.
    pub(super) topic: Option<Topic>,
    pub(super) since: Option<Since>,
    pub(super) snapshot: Option<RunSnapshot>,
    /// Whether each frame carries its position.
    pub(super) positions: bool,
}

/// Options of `subscribe`, or of the address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) since: Option<Since>,
    pub(super) snapshot: bool,
    pub(super) positions: bool,
}

// === impl WatchedChat ===

impl WatchedChat {
    /// Looks up a chat that `principal` may watch. In open mode it need not exist.
    pub(super) async fn of(
        state: &State,
        principal: &Principal,
        chat: Value,
        Options { since, snapshot, positions }: Options,
    ) -> Self {
        let nothing = |chat| Self { chat, positions, ..Self::default() };
        let id = match &chat {
            Value::String(id) => id.clone(),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                return nothing(chat);
            }
            scalar => scalar.to_string(),
        };
        let Ok(topic) = chat_topic(&id) else { return nothing(chat) };
        if !matches!(may_watch(state, principal, &topic).await, Ok(true)) {
            return nothing(chat);
        }
        let snapshot =
            if snapshot { RunSnapshot::of(state, &topic, since).await } else { Ok(None) };
        let snapshot = snapshot.unwrap_or_else(|err| {
            tracing::warn!(error = %err, chat = id, "a chat cannot be shown from its store");
            None
        });
        Self { chat, topic: Some(topic), since, snapshot, positions }
    }
}

/// Whether `principal` may watch the topic of a chat.
pub(super) async fn may_watch(
    state: &State,
    principal: &Principal,
    topic: &Topic,
) -> Result<bool, quadrille_store::Error> {
    if state.is_open() || state.core.auth.allow(principal, Action::Read, topic).is_ok() {
        return Ok(true);
    }
    Ok(state.chat(topic.name(), Action::Read, principal).await?.is_some())
}
