//! The vocabulary of a turn, one question and its one reply, as records in a topic's log.
//!
//! A turn is `turn.started`, any number of records of its reply in the order of the reply's parts, and
//! exactly one of `turn.completed`, `turn.failed` and `turn.cancelled`, which is the last. A reader that
//! comes late is given `turn.snapshot`, which is in no log.
mod parts;
mod raw_json;
mod snapshot;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use uuid::{Uuid, fmt::Hyphenated};

pub use self::{
    parts::{
        Answered, CitedSource, Pending, PendingKind, ReplyData, ReplyFile, Steered, TokenUsage,
        Tool, ToolState,
    },
    raw_json::RawJson,
    snapshot::{SnapshotPart, TurnSnapshot},
};
use crate::{Draft, Event, EventKey, Topic};

/// A record of a turn, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TurnEvent {
    Started(Started),
    Status(Status),
    Tool(Tool),
    Delta(Delta),
    /// A piece of the agent's thoughts, whose `start` counts the thoughts alone.
    Reasoning(Delta),
    Source(CitedSource),
    File(ReplyFile),
    Data(ReplyData),
    Waiting(Pending),
    Answered(Answered),
    Steered(Steered),
    Completed(Completed),
    Failed(Failed),
    Cancelled(Cancelled),
    Snapshot(TurnSnapshot),
}

/// Kind of a turn's record, known without decoding the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TurnKind {
    Started,
    Status,
    Tool,
    /// A log may merge these, and those of [`Self::Reasoning`].
    Delta,
    Reasoning,
    Source,
    File,
    Data,
    Waiting,
    Answered,
    Steered,
    Completed,
    Failed,
    Cancelled,
    /// Made for a reader; no log has one.
    Snapshot,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    pub turn: Uuid,
    pub agent: Arc<str>,
    pub user: Arc<str>,
    pub question: Arc<str>,
}

/// A notice of the agent itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub turn: Uuid,
    pub text: String,
}

/// A piece of the reply, or of the thoughts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    pub turn: Uuid,
    /// Characters (Unicode scalar values) of the reply, or of the thoughts, before this piece.
    pub start: u64,
    pub text: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completed {
    pub turn: Uuid,
    /// The whole reply.
    pub text: Arc<str>,
    /// Id of the stored message that holds the reply, if the reply is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<i64>,
    /// Why the reply ended, as the upstream says it: `stop`, `length`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TokenUsage>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub turn: Uuid,
    /// Stable, for programs: `interrupted`, `upstream`, `total_timeout`.
    pub code: Cow<'static, str>,
    /// For people.
    pub title: Cow<'static, str>,
    /// The reply as far as it got.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub text: Arc<str>,
    /// Id of the stored message that records the failure, if it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TokenUsage>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    pub turn: Uuid,
    /// The reply as far as it got.
    pub text: Arc<str>,
    /// Id of the stored message that holds the text, if it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TokenUsage>,
}

fn is_empty(text: &Arc<str>) -> bool {
    text.is_empty()
}

// === impl TurnKind ===

impl TurnKind {
    const ALL: [Self; 15] = [
        Self::Started,
        Self::Status,
        Self::Tool,
        Self::Delta,
        Self::Reasoning,
        Self::Source,
        Self::File,
        Self::Data,
        Self::Waiting,
        Self::Answered,
        Self::Steered,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Snapshot,
    ];

    /// The kind of `event`, or `None` if it is no record of a turn.
    pub fn of(event: &Event) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == event.kind)
    }

    /// The kind as records carry it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "turn.started",
            Self::Status => "turn.status",
            Self::Tool => "turn.tool",
            Self::Delta => "turn.delta",
            Self::Reasoning => "turn.reasoning",
            Self::Source => "turn.source",
            Self::File => "turn.file",
            Self::Data => "turn.data",
            Self::Waiting => "turn.waiting",
            Self::Answered => "turn.answered",
            Self::Steered => "turn.steered",
            Self::Completed => "turn.completed",
            Self::Failed => "turn.failed",
            Self::Cancelled => "turn.cancelled",
            Self::Snapshot => "turn.snapshot",
        }
    }

    /// Whether no record of the turn follows one of this kind.
    pub const fn is_last(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for TurnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl TurnEvent ===

impl TurnEvent {
    pub fn kind(&self) -> TurnKind {
        match self {
            Self::Started(_) => TurnKind::Started,
            Self::Status(_) => TurnKind::Status,
            Self::Tool(_) => TurnKind::Tool,
            Self::Delta(_) => TurnKind::Delta,
            Self::Reasoning(_) => TurnKind::Reasoning,
            Self::Source(_) => TurnKind::Source,
            Self::File(_) => TurnKind::File,
            Self::Data(_) => TurnKind::Data,
            Self::Waiting(_) => TurnKind::Waiting,
            Self::Answered(_) => TurnKind::Answered,
            Self::Steered(_) => TurnKind::Steered,
            Self::Completed(_) => TurnKind::Completed,
            Self::Failed(_) => TurnKind::Failed,
            Self::Cancelled(_) => TurnKind::Cancelled,
            Self::Snapshot(_) => TurnKind::Snapshot,
        }
    }

    /// Whether no record of the turn follows this one.
    pub fn is_last(&self) -> bool {
        self.kind().is_last()
    }

    /// The record to publish in `topic`. Its key is the turn, the kind, and for kinds of which each
    /// record counts what distinguishes them. So a reader that has fallen behind still gets the newest
    /// status, the text of all deltas, and every tool, source, file and value.
    pub fn draft(&self, topic: Topic) -> Draft {
        let payload = self.payload();
        let key = self.key(&payload);
        Draft::new(topic, self.kind().as_str(), payload).key(Some(key))
    }

    fn key(&self, payload: &str) -> EventKey {
        let mut id = [0; Hyphenated::LENGTH];
        let turn: &str = self.turn().hyphenated().encode_lower(&mut id);
        let kind = self.kind().as_str();
        let key = match self {
            Self::Tool(tool) => {
                [turn, "/", kind, "/", tool.state.as_str(), "/", &tool.call].concat()
            }
            Self::Waiting(Pending { ask, .. }) | Self::Answered(Answered { ask, .. }) => {
                [turn, "/", kind, "/", ask].concat()
            }
            Self::Source(_) | Self::File(_) | Self::Data(_) | Self::Steered(_) => {
                let mut hasher = DefaultHasher::new();
                payload.hash(&mut hasher);
                format!("{turn}/{kind}/{:x}", hasher.finish())
            }
            _ => [turn, "/", kind].concat(),
        };
        key.into()
    }

    /// The record's payload, as JSON.
    pub fn payload(&self) -> String {
        let json = match self {
            Self::Started(started) => serde_json::to_string(started),
            Self::Status(status) => serde_json::to_string(status),
            Self::Tool(tool) => serde_json::to_string(tool),
            Self::Delta(delta) | Self::Reasoning(delta) => serde_json::to_string(delta),
            Self::Source(source) => serde_json::to_string(source),
            Self::File(file) => serde_json::to_string(file),
            Self::Data(data) => serde_json::to_string(data),
            Self::Waiting(pending) => serde_json::to_string(pending),
            Self::Answered(answered) => serde_json::to_string(answered),
            Self::Steered(steered) => serde_json::to_string(steered),
            Self::Completed(completed) => serde_json::to_string(completed),
            Self::Failed(failed) => serde_json::to_string(failed),
            Self::Cancelled(cancelled) => serde_json::to_string(cancelled),
            Self::Snapshot(snapshot) => serde_json::to_string(snapshot),
        };
        json.expect("texts and numbers are always JSON")
    }

    /// The id of the turn.
    pub fn turn(&self) -> Uuid {
        match self {
            Self::Started(started) => started.turn,
            Self::Status(status) => status.turn,
            Self::Tool(tool) => tool.turn,
            Self::Delta(delta) | Self::Reasoning(delta) => delta.turn,
            Self::Source(source) => source.turn,
            Self::File(file) => file.turn,
            Self::Data(data) => data.turn,
            Self::Waiting(pending) => pending.turn,
            Self::Answered(answered) => answered.turn,
            Self::Steered(steered) => steered.turn,
            Self::Completed(completed) => completed.turn,
            Self::Failed(failed) => failed.turn,
            Self::Cancelled(cancelled) => cancelled.turn,
            Self::Snapshot(snapshot) => snapshot.turn,
        }
    }

    /// Decodes `event`. `None` if it is no record of a turn.
    pub fn of(event: &Event) -> Option<Self> {
        let text: &str = &event.payload;
        match TurnKind::of(event)? {
            TurnKind::Started => serde_json::from_str(text).map(Self::Started).ok(),
            TurnKind::Status => serde_json::from_str(text).map(Self::Status).ok(),
            TurnKind::Tool => serde_json::from_str(text).map(Self::Tool).ok(),
            TurnKind::Delta => serde_json::from_str(text).map(Self::Delta).ok(),
            TurnKind::Reasoning => serde_json::from_str(text).map(Self::Reasoning).ok(),
            TurnKind::Source => serde_json::from_str(text).map(Self::Source).ok(),
            TurnKind::File => serde_json::from_str(text).map(Self::File).ok(),
            TurnKind::Data => serde_json::from_str(text).map(Self::Data).ok(),
            TurnKind::Waiting => serde_json::from_str(text).map(Self::Waiting).ok(),
            TurnKind::Answered => serde_json::from_str(text).map(Self::Answered).ok(),
            TurnKind::Steered => serde_json::from_str(text).map(Self::Steered).ok(),
            TurnKind::Completed => serde_json::from_str(text).map(Self::Completed).ok(),
            TurnKind::Failed => serde_json::from_str(text).map(Self::Failed).ok(),
            TurnKind::Cancelled => serde_json::from_str(text).map(Self::Cancelled).ok(),
            TurnKind::Snapshot => serde_json::from_str(text).map(Self::Snapshot).ok(),
        }
    }
}

/// The turn that `event`, a record of one, belongs to. Reads no other member of the payload.
pub fn of(event: &Event) -> Option<Uuid> {
    id(&event.payload)
}

/// The turn of a record with this payload.
pub(crate) fn id(payload: &str) -> Option<Uuid> {
    #[derive(Deserialize)]
    struct TurnId {
        turn: Uuid,
    }
    serde_json::from_str::<TurnId>(payload).ok().map(|id| id.turn)
}
