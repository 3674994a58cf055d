//! The parts of a reply beside its text, and what passes between an agent and those it asks.
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::RawJson;

/// A use of a tool: one record once its arguments are complete, and one with its result if the agent
/// tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    pub turn: Uuid,
    /// Id of the call within the turn.
    pub call: String,
    pub name: String,
    pub state: ToolState,
    /// The call as protocols without arguments and results show it. Empty in all records of a call
    /// but one.
    pub text: String,
    /// The arguments, in the record with the state [`ToolState::Input`].
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub input: Option<RawJson>,
    /// The result, or the error.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub output: Option<RawJson>,
}

/// The progress of a tool's call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolState {
    /// The arguments are complete.
    #[default]
    Input,
    /// The call has its result.
    Output,
    /// The call failed.
    Error,
    /// Somebody refused the call.
    Denied,
}

/// A source that the reply is based on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CitedSource {
    pub turn: Uuid,
    pub url: String,
    /// Empty if the agent gives none.
    pub title: String,
}

/// A file that is part of the reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyFile {
    pub turn: Uuid,
    /// An address, or a `data:` URI.
    pub url: String,
    /// As precise as the agent is: `image/png`, or `image/*`.
    pub media_type: String,
    /// Empty if the agent gives none.
    pub name: String,
}

/// A value for the application, of a kind that agent and application agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyData {
    pub turn: Uuid,
    pub name: String,
    pub value: RawJson,
}

/// The agent waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub turn: Uuid,
    /// Id of the request within the turn.
    pub ask: String,
    pub what: PendingKind,
    /// The call of a tool that the request is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// For people.
    pub prompt: String,
}

/// The answer that an agent waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PendingKind {
    /// Yes or no.
    Approval,
    /// A value.
    Input,
    /// The result of a tool of the application.
    Tool,
}

/// The answer to a request of the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    pub turn: Uuid,
    pub ask: String,
    /// The user who answered.
    pub by: Arc<str>,
    pub value: RawJson,
}

/// A text that a user added to a running turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steered {
    pub turn: Uuid,
    /// The user who added it.
    pub by: Arc<str>,
    pub text: Arc<str>,
}

/// The tokens that a reply took, as the agent counts them; 0 where it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    pub input: u64,
    pub output: u64,
}

/// Reads a member that is there, also if it is `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RawJson>, D::Error> {
    RawJson::deserialize(deserializer).map(Some)
}

// === impl Tool ===

impl Tool {
    /// Whether protocols that show each call once show this record.
    pub fn is_shown_once(&self) -> bool {
        self.state == ToolState::Input || !self.text.is_empty()
    }
}

// === impl ToolState ===

impl ToolState {
    /// The state as records carry it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Error => "error",
            Self::Denied => "denied",
        }
    }
}
