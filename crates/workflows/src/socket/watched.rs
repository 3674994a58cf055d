//! What a connection watches.
use quadrille_core::{Since, Topic};
use quadrille_identity::{Action, Principal};
use serde_json::Value;

use super::snapshot::Snapshot;
use crate::door::{self, Door};

#[derive(Debug, Default)]
pub(super) struct Watched {
    /// As the client names it.
    pub(super) chat: Value,
    /// `None` if there is none, or they may not watch it.
    pub(super) topic: Option<Topic>,
    pub(super) since: Option<Since>,
    pub(super) snapshot: Option<Snapshot>,
    /// Whether each frame tells its position.
    pub(super) positions: bool,
}

/// How a client wants to watch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) since: Option<Since>,
    pub(super) snapshot: bool,
    pub(super) positions: bool,
}

// === impl Watched ===

impl Watched {
    /// What of a chat `who` may watch. It need not be there where nobody signs in.
    pub(super) async fn of(
        door: &Door,
        who: &Principal,
        chat: Value,
        Wanted { since, snapshot, positions }: Wanted,
    ) -> Self {
        let nothing = |chat| Self { chat, positions, ..Self::default() };
        let id = match &chat {
            Value::String(id) => id.clone(),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                return nothing(chat);
            }
            scalar => scalar.to_string(),
        };
        let Ok(topic) = door::topic(&id) else { return nothing(chat) };
        if !matches!(may_watch(door, who, &topic).await, Ok(true)) {
            return nothing(chat);
        }
        let snapshot = if snapshot { Snapshot::of(door, &topic, since).await } else { Ok(None) };
        let snapshot = snapshot.unwrap_or_else(|why| {
            tracing::warn!(error = %why, chat = id, "a chat cannot be shown from its store");
            None
        });
        Self { chat, topic: Some(topic), since, snapshot, positions }
    }
}

/// Whether the topic of a chat is open to `who`.
pub(super) async fn may_watch(
    door: &Door,
    who: &Principal,
    topic: &Topic,
) -> Result<bool, quadrille_store::Error> {
    if door.is_open() || door.core.auth.allow(who, Action::Read, topic).is_ok() {
        return Ok(true);
    }
    Ok(door.chat(topic.name(), Action::Read, who).await?.is_some())
}
