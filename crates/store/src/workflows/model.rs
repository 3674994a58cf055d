//! What is stored of workflows, as callers see it. All times are Unix milliseconds.
use uuid::Uuid;

use super::words::{ChatStatus, Place, RunStatus, Said, StepKind, StepStatus};
use crate::Error;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    pub id: String,
    /// Whose it is; `None` where nobody signs in.
    pub user_id: Option<String>,
    pub participant: String,
    pub status: ChatStatus,
    /// What part of all chats it is kept in, such as `2026/11`.
    pub partition: String,
    /// A JSON object.
    pub metadata: String,
    /// What the bot waits for, as JSON.
    pub dialogue: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Clone, Copy, Debug)]
pub struct NewChat<'a> {
    pub id: &'a str,
    pub user: Option<&'a str>,
    pub participant: &'a str,
    pub status: ChatStatus,
    pub partition: &'a str,
    pub metadata: &'a str,
    /// Whether one that is there may be somebody else's.
    pub any_owner: bool,
}

/// What is left of a chat that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedChat {
    /// Of its files, whose bytes are the caller's to delete.
    pub keys: Vec<String>,
    /// The runs that were not over, as they are now.
    pub cancelled: Vec<Run>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMessage {
    pub id: Uuid,
    pub kind: Said,
    pub content: String,
    /// A JSON object.
    pub metadata: String,
    pub created_at: i64,
}

#[derive(Clone, Copy, Debug)]
pub struct NewMessageOfChat<'a> {
    pub kind: Said,
    pub content: &'a str,
    /// A JSON object.
    pub metadata: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatFile {
    /// Rises with every file.
    pub id: i64,
    pub place: Place,
    /// Unique in its chat.
    pub name: String,
    /// Where its bytes are; see [`files`](crate::files).
    pub key: String,
    /// In bytes.
    pub size: i64,
    pub created_at: i64,
}

/// A file whose bytes are stored.
#[derive(Clone, Copy, Debug)]
pub struct NewChatFile<'a> {
    pub place: Place,
    /// Gets a number if the chat has a file of this name.
    pub name: &'a str,
    pub key: &'a str,
    pub size: i64,
}

/// Steps that are done one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub id: String,
    pub chat_id: String,
    /// Which door it came through: a word of the caller's.
    pub origin: String,
    pub status: RunStatus,
    /// Counts what observers were told of: rises with every change that they see.
    pub seq: i64,
    pub total: i64,
    /// The first step that is not completed; `total` if all are.
    pub next: i64,
    pub next_kind: StepKind,
    pub error: Option<String>,
    /// How often the present step was begun.
    pub attempts: i64,
    pub created_at: i64,
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct NewRun<'a> {
    pub id: &'a str,
    pub chat: &'a str,
    pub origin: &'a str,
    /// None is a run that is over as soon as it begins.
    pub steps: &'a [NewStep],
    /// What the first step is done to; `None` for none.
    pub input: Option<i64>,
    /// How many runs may wait, this one included: for a worker, and in its chat.
    pub max_waiting: i64,
    /// How many of them may be those of the chat's owner, this one included; a chat without an
    /// owner has no share.
    pub share: i64,
    /// Sent again with the same key, it is the same run.
    pub key: Option<RunKey<'a>>,
}

/// Whose runs are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsOf<'a> {
    Anyone,
    /// Runs in the chats of this user; `None` is in chats that have no owner.
    Owner(Option<&'a str>),
}

/// The idempotency key of a request.
#[derive(Clone, Copy, Debug)]
pub struct RunKey<'a> {
    /// Who uses it; empty where nobody signs in.
    pub user: &'a str,
    pub key: &'a str,
    /// A digest of what is asked for. The same key with another one is refused.
    pub request: &'a str,
}

/// A step that was ended under a claim, and what the worker brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    pub run: Run,
    pub step: Step,
    /// The digest that the step was finished with.
    pub digest: Option<String>,
}

#[derive(Clone, Debug)]
pub struct NewStep {
    pub operation: String,
    pub kind: StepKind,
    /// A JSON object.
    pub arguments: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub id: Uuid,
    /// From 0.
    pub position: i64,
    pub operation: String,
    pub kind: StepKind,
    /// A JSON object, as it was given.
    pub arguments: String,
    pub status: StepStatus,
    /// From 0 to 100.
    pub progress: i64,
    pub input: Option<i64>,
    pub output: Option<i64>,
    /// JSON.
    pub result: Option<String>,
    pub error: Option<String>,
    /// Who does it, or did, as they call themselves.
    pub worker: Option<String>,
    pub started_at: Option<i64>,
    pub completed_at: Option<i64>,
}

/// Why there is no run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("there is no such chat")]
    NoChat,
    #[error("too many runs are waiting; try again later")]
    Full,
    #[error("too many runs of this user are waiting; try again when one of them is done")]
    Share,
    #[error("the idempotency key came with another request")]
    KeyReused,
    #[error(transparent)]
    Store(#[from] Error),
}

/// Why a file is not in a chat.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Nothing was changed.
    #[error("a chat has at most {} files; go on in another chat", ChatFile::MAX)]
    TooMany,
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<sqlx::Error> for FileError {
    fn from(why: sqlx::Error) -> Self {
        Error::from(why).into()
    }
}

impl ChatFile {
    /// Files of a chat, at most.
    pub const MAX: usize = 9_999;
}

/// A chat with everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeChat {
    pub chat: Chat,
    /// The oldest first, as below.
    pub messages: Vec<ChatMessage>,
    pub files: Vec<ChatFile>,
    /// Each with its steps.
    pub runs: Vec<(Run, Vec<Step>)>,
}

/// A run that a worker does as long as it keeps its lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub run: Run,
    /// What everything is done under.
    pub lease: Uuid,
    pub start: Start,
}

/// How a worker comes to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Fresh,
    /// It was begun before, and broken off.
    Resumed,
    /// A step of it was done elsewhere.
    Back,
}

/// An external step that somebody does as long as they keep their lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What everything is done under; a secret of who has it.
    pub claim: Uuid,
    pub run: Run,
    pub step: Step,
    /// Until when the lease is, unless it is renewed.
    pub until: i64,
}

/// What became of a wish to cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelRun {
    /// It is cancelled.
    Ended(Run),
    /// Who does it will see.
    Asked(Run),
    /// It was over already.
    Over(Run),
}

/// A file for whoever knows its name, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    pub name: String,
    pub user_id: Option<String>,
    pub key: String,
    /// In bytes.
    pub size: i64,
    pub created_at: i64,
}
