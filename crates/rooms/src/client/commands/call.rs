//! One event of a client, and what several commands read of it.
use std::{borrow::Cow, sync::OnceLock};

use quadrille_core::json;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, value::RawValue};

use crate::client::connected::{Client, JoinOptions};

pub(super) const UNKNOWN: &str = "Conversation not found";

/// One event, and the id of its acknowledgement.
pub(super) struct Call<'a> {
    arguments: &'a [&'a RawValue],
    pub(super) id: Option<u64>,
    /// Needed by [`json::read_in`].
    copy: &'a OnceLock<String>,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        arguments: &'a [&'a RawValue],
        id: Option<u64>,
        copy: &'a OnceLock<String>,
    ) -> Self {
        Self { arguments, id, copy }
    }

    /// Reads the first argument; `None` if it is no object, or has a member of another type.
    pub(super) fn read<T: Deserialize<'a>>(&self) -> Option<T> {
        let first = self.arguments.first()?.get();
        if !first.starts_with('{') {
            return None;
        }
        json::read_in(first, self.copy).ok()
    }
}

/// Names a room of either kind.
#[derive(Deserialize)]
pub(super) struct RoomTarget<'a> {
    pub(super) conversation_id: Option<Value>,
    #[serde(borrow, default)]
    pub(super) room: Option<Cow<'a, str>>,
    #[serde(flatten)]
    pub(super) options: JoinOptions,
}

impl RoomTarget<'_> {
    /// Whether a conversation is meant. Clients that signed in send `conversation_id`, and are told
    /// so if it is missing, unless they name a room.
    pub(super) fn is_conversation(&self, client: &Client) -> bool {
        let signed_in = client.principal.user.is_some();
        self.conversation_id.is_some() || (signed_in && self.room.is_none())
    }
}

/// The id of a conversation: a number, or its digits. Anything else is the id of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConversationId(pub(super) Option<i64>);

impl<'de> Deserialize<'de> for ConversationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let id = match &value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_i64(),
        };
        Ok(Self(id.filter(|id| *id >= 0)))
    }
}
