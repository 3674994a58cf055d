//! The vocabulary of a turn, one question and its one reply, as records in a topic's log.
//!
//! A turn is `turn.started`, any number of `turn.status`, `turn.tool` and `turn.delta`, and exactly
//! one of `turn.completed`, `turn.failed` and `turn.cancelled`, which is the last.
use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::{Uuid, fmt::Hyphenated};

use crate::{Draft, Event, Topic};

/// A record of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    Started(Started),
    Status(Status),
    Tool(Tool),
    Delta(Delta),
    Completed(Completed),
    Failed(Failed),
    Cancelled(Cancelled),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    pub turn: Uuid,
    pub agent: Arc<str>,
    pub user: Arc<str>,
    pub question: Arc<str>,
}

/// The agent's own notice.
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

/// More of the reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    pub turn: Uuid,
    /// How many characters (Unicode scalar values) of the reply came before.
    pub start: u64,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completed {
    pub turn: Uuid,
    /// The whole reply.
    pub text: Arc<str>,
    /// What it is kept under, if it is kept beyond the log.
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
    /// What that it failed is kept under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    pub turn: Uuid,
    /// What there was of the reply.
    pub text: Arc<str>,
    /// What it is kept under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<i64>,
}

/// The kind of [`Delta`] records, which a log may merge.
pub const DELTA: &str = "turn.delta";

impl Turn {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Started(_) => "turn.started",
            Self::Status(_) => "turn.status",
            Self::Tool(_) => "turn.tool",
            Self::Delta(_) => DELTA,
            Self::Completed(_) => "turn.completed",
            Self::Failed(_) => "turn.failed",
            Self::Cancelled(_) => "turn.cancelled",
        }
    }

    /// Whether no record of the turn comes after this one.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Completed(_) | Self::Failed(_) | Self::Cancelled(_))
    }

    /// The record to publish in `topic`. Its key is the turn and the kind, so a reader that has
    /// fallen behind still gets the newest of each kind, and the text of all deltas.
    pub fn draft(&self, topic: Topic) -> Draft {
        let kind = self.kind();
        let draft = match self {
            Self::Started(it) => Draft::json(topic, kind, it),
            Self::Status(it) => Draft::json(topic, kind, it),
            Self::Tool(it) => Draft::json(topic, kind, it),
            Self::Delta(it) => Draft::json(topic, kind, it),
            Self::Completed(it) => Draft::json(topic, kind, it),
            Self::Failed(it) => Draft::json(topic, kind, it),
            Self::Cancelled(it) => Draft::json(topic, kind, it),
        };
        let mut id = [0; Hyphenated::LENGTH];
        let key = [self.turn().hyphenated().encode_lower(&mut id), "/", kind].concat();
        draft.expect("texts and numbers are always JSON").key(Some(key.into()))
    }

    pub fn turn(&self) -> Uuid {
        match self {
            Self::Started(it) => it.turn,
            Self::Status(it) => it.turn,
            Self::Tool(it) => it.turn,
            Self::Delta(it) => it.turn,
            Self::Completed(it) => it.turn,
            Self::Failed(it) => it.turn,
            Self::Cancelled(it) => it.turn,
        }
    }

    /// The turn record that `event` is, if it is one.
    pub fn of(event: &Event) -> Option<Self> {
        let text: &str = &event.payload;
        match &*event.kind {
            "turn.started" => serde_json::from_str(text).map(Self::Started).ok(),
            "turn.status" => serde_json::from_str(text).map(Self::Status).ok(),
            "turn.tool" => serde_json::from_str(text).map(Self::Tool).ok(),
            DELTA => serde_json::from_str(text).map(Self::Delta).ok(),
            "turn.completed" => serde_json::from_str(text).map(Self::Completed).ok(),
            "turn.failed" => serde_json::from_str(text).map(Self::Failed).ok(),
            "turn.cancelled" => serde_json::from_str(text).map(Self::Cancelled).ok(),
            _ => None,
        }
    }
}

/// Which turn `event`, a record of one, is of; without reading the rest.
pub fn of(event: &Event) -> Option<Uuid> {
    #[derive(Deserialize)]
    struct Of {
        turn: Uuid,
    }
    serde_json::from_str::<Of>(&event.payload).ok().map(|it| it.turn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Position;

    #[test]
    fn every_record_of_a_turn_survives_its_payload() {
        let (turn, text) = (Uuid::now_v7(), "grün".to_owned());
        let all = [
            Turn::Started(Started {
                turn,
                agent: "echo".into(),
                user: "7".into(),
                question: text.as_str().into(),
            }),
            Turn::Status(Status { turn, text: text.clone() }),
            Turn::Tool(Tool { turn, name: "search".into(), text: text.clone() }),
            Turn::Delta(Delta { turn, start: 4, text: text.clone() }),
            Turn::Completed(Completed { turn, text: text.as_str().into(), message: Some(7) }),
            Turn::Failed(Failed {
                turn,
                code: "timeout".into(),
                title: text.clone().into(),
                message: None,
            }),
            Turn::Cancelled(Cancelled { turn, text: text.into(), message: None }),
        ];
        let topic: Topic = "user:7".parse().unwrap();
        for it in &all {
            let event = Event::new(it.draft(topic.clone()), Position { epoch: 1, offset: 1 });
            assert_eq!(Turn::of(&event).as_ref(), Some(it));
        }
        assert_eq!(all.iter().filter(|it| it.is_last()).count(), 3);
    }
}
