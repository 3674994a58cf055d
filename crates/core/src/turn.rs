//! The vocabulary of a turn, one question and its one reply, as records in a topic's log.
//!
//! A turn is `turn.started`, any number of `turn.status`, `turn.tool` and `turn.delta`, and exactly
//! one of `turn.completed`, `turn.failed` and `turn.cancelled`, which is the last.
use std::{borrow::Cow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::{Uuid, fmt::Hyphenated};

use crate::{Draft, Event, Topic};

/// A record of a turn, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TurnEvent {
    Started(Started),
    Status(Status),
    Tool(Tool),
    Delta(Delta),
    Completed(Completed),
    Failed(Failed),
    Cancelled(Cancelled),
}

/// Kind of a turn's record, known without decoding the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TurnKind {
    Started,
    Status,
    Tool,
    /// The only kind that a log may merge.
    Delta,
    Completed,
    Failed,
    Cancelled,
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    pub turn: Uuid,
    pub name: String,
    pub text: String,
}

/// A piece of the reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    pub turn: Uuid,
    /// Characters (Unicode scalar values) of the reply before this piece.
    pub start: u64,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completed {
    pub turn: Uuid,
    /// The whole reply.
    pub text: Arc<str>,
    /// Id of the stored message that holds the reply, if the reply is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    pub turn: Uuid,
    /// The reply as far as it got.
    pub text: Arc<str>,
    /// Id of the stored message that holds the text, if it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<i64>,
}

fn is_empty(text: &Arc<str>) -> bool {
    text.is_empty()
}

// === impl TurnKind ===

impl TurnKind {
    const ALL: [Self; 7] = [
        Self::Started,
        Self::Status,
        Self::Tool,
        Self::Delta,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
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
            Self::Completed => "turn.completed",
            Self::Failed => "turn.failed",
            Self::Cancelled => "turn.cancelled",
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
            Self::Completed(_) => TurnKind::Completed,
            Self::Failed(_) => TurnKind::Failed,
            Self::Cancelled(_) => TurnKind::Cancelled,
        }
    }

    /// Whether no record of the turn follows this one.
    pub fn is_last(&self) -> bool {
        self.kind().is_last()
    }

    /// The record to publish in `topic`. Its key is the turn and the kind, so a reader that has
    /// fallen behind still gets the newest of each kind, and the text of all deltas.
    pub fn draft(&self, topic: Topic) -> Draft {
        let kind = self.kind().as_str();
        let mut id = [0; Hyphenated::LENGTH];
        let key = [self.turn().hyphenated().encode_lower(&mut id), "/", kind].concat();
        Draft::new(topic, kind, self.payload()).key(Some(key.into()))
    }

    /// The record's payload, as JSON.
    pub fn payload(&self) -> String {
        let json = match self {
            Self::Started(started) => serde_json::to_string(started),
            Self::Status(status) => serde_json::to_string(status),
            Self::Tool(tool) => serde_json::to_string(tool),
            Self::Delta(delta) => serde_json::to_string(delta),
            Self::Completed(completed) => serde_json::to_string(completed),
            Self::Failed(failed) => serde_json::to_string(failed),
            Self::Cancelled(cancelled) => serde_json::to_string(cancelled),
        };
        json.expect("texts and numbers are always JSON")
    }

    /// The id of the turn.
    pub fn turn(&self) -> Uuid {
        match self {
            Self::Started(started) => started.turn,
            Self::Status(status) => status.turn,
            Self::Tool(tool) => tool.turn,
            Self::Delta(delta) => delta.turn,
            Self::Completed(completed) => completed.turn,
            Self::Failed(failed) => failed.turn,
            Self::Cancelled(cancelled) => cancelled.turn,
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
            TurnKind::Completed => serde_json::from_str(text).map(Self::Completed).ok(),
            TurnKind::Failed => serde_json::from_str(text).map(Self::Failed).ok(),
            TurnKind::Cancelled => serde_json::from_str(text).map(Self::Cancelled).ok(),
        }
    }
}

/// The turn that `event`, a record of one, belongs to. Reads no other member of the payload.
pub fn of(event: &Event) -> Option<Uuid> {
    #[derive(Deserialize)]
    struct TurnId {
        turn: Uuid,
    }
    serde_json::from_str::<TurnId>(&event.payload).ok().map(|id| id.turn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Position;

    #[test]
    fn every_record_of_a_turn_survives_its_payload() {
        let (turn, text) = (Uuid::now_v7(), "grün".to_owned());
        let all = [
            TurnEvent::Started(Started {
                turn,
                agent: "echo".into(),
                user: "7".into(),
                question: text.as_str().into(),
            }),
            TurnEvent::Status(Status { turn, text: text.clone() }),
            TurnEvent::Tool(Tool { turn, name: "search".into(), text: text.clone() }),
            TurnEvent::Delta(Delta { turn, start: 4, text: text.clone() }),
            TurnEvent::Completed(Completed { turn, text: text.as_str().into(), message: Some(7) }),
            TurnEvent::Failed(Failed {
                turn,
                code: "timeout".into(),
                title: text.clone().into(),
                text: "Mia".into(),
                message: None,
            }),
            TurnEvent::Cancelled(Cancelled { turn, text: text.into(), message: None }),
        ];
        let topic: Topic = "user:7".parse().unwrap();
        for record in &all {
            let event = Event::new(record.draft(topic.clone()), Position { epoch: 1, offset: 1 });
            assert_eq!(TurnEvent::of(&event).as_ref(), Some(record));
        }
        assert_eq!(all.iter().filter(|record| record.is_last()).count(), 3);
    }
}
