//! Types of turns, as callers see them. All times are Unix milliseconds.
use uuid::Uuid;

use crate::{
    Message,
    columns::{from_row, words},
};

words! {
    StoredState {
        Open = "open",
        Completed = "completed",
        Failed = "failed",
        Cancelled = "cancelled",
    }
}

/// A turn to be opened.
#[derive(Clone, Copy, Debug)]
pub struct NewTurn<'a> {
    pub id: Uuid,
    pub topic: &'a str,
    /// Name of the agent.
    pub agent: &'a str,
}

/// Outcome of opening a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TurnOpening {
    New,
    /// The key is of this turn; nothing was stored.
    Known(Box<StoredTurn>),
}

/// A part of a reply that an open turn has grown by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub turn: Uuid,
    /// Orders the segments of a turn; each begins after the end of the one before.
    pub start: i64,
    pub text: String,
}

/// Outcome of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnEnd {
    Completed,
    Failed,
    Cancelled,
}

impl TurnEnd {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Completed => StoredState::Completed.word(),
            Self::Failed => StoredState::Failed.word(),
            Self::Cancelled => StoredState::Cancelled.word(),
        }
    }
}

/// The end of a turn, to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewEnd<'a> {
    pub end: TurnEnd,
    /// The reply, as far as it got.
    pub text: &'a str,
    /// Of a failure, for programs.
    pub code: Option<&'a str>,
    /// Of a failure, for people.
    pub title: Option<&'a str>,
    /// JSON text.
    pub details: Option<&'a str>,
    /// Content of the message of a failed reply without text, in a conversation.
    pub sentence: &'a str,
    /// Whether the next start has to tell the end to the topic.
    pub untold: bool,
    /// Whether the key of the turn may be used for another turn.
    pub frees_key: bool,
}

impl<'a> NewEnd<'a> {
    /// A complete reply.
    pub fn completed(text: &'a str) -> Self {
        Self {
            end: TurnEnd::Completed,
            text,
            code: None,
            title: None,
            details: None,
            sentence: "",
            untold: false,
            frees_key: false,
        }
    }

    /// A reply that was stopped.
    pub fn cancelled(text: &'a str) -> Self {
        Self { end: TurnEnd::Cancelled, ..Self::completed(text) }
    }

    /// A reply that broke off.
    pub fn failed(text: &'a str, code: &'a str, title: &'a str, sentence: &'a str) -> Self {
        let (code, title) = (Some(code), Some(title));
        Self { end: TurnEnd::Failed, code, title, sentence, ..Self::completed(text) }
    }
}

/// A turn whose end was stored just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedTurn {
    /// The message of the reply, in a conversation.
    pub message: Option<Message>,
}

/// A turn as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTurn {
    pub id: Uuid,
    pub topic: String,
    pub user: String,
    /// Name of the agent; empty if it was stored before names were.
    pub agent: String,
    pub question: String,
    /// The reply: of an open turn, as far as it is stored.
    pub text: String,
    pub state: StoredState,
    pub code: Option<String>,
    pub title: Option<String>,
    /// JSON text.
    pub details: Option<String>,
    pub conversation: Option<i64>,
    /// The message with the question, in a conversation.
    pub question_message: Option<i64>,
    /// The message with the reply, in a conversation.
    pub reply_message: Option<i64>,
    pub started_at: i64,
    pub ended_at: Option<i64>,
}

from_row!(StoredTurn {
    id: Uuid = "id",
    topic: String = "topic",
    user: String = "user_id",
    agent: String = "agent",
    question: String = "question",
    text: String = "text",
    state: StoredState = "state",
    code: Option<String> = "code",
    title: Option<String> = "title",
    details: Option<String> = "details",
    conversation: Option<i64> = "conversation_id",
    question_message: Option<i64> = "question_id",
    reply_message: Option<i64> = "reply_id",
    started_at: i64 = "started_at",
    ended_at: Option<i64> = "ended_at",
});

/// A reply that is being made in a conversation, as far as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningReply {
    pub turn: Uuid,
    pub text: String,
    pub started_at: i64,
}
