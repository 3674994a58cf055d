//! Types of workflows, as callers see them. All times are Unix milliseconds.
use uuid::Uuid;

use super::words::{ChatStatus, MessageType, Place, RunStatus, StepKind, StepStatus};
use crate::Error;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    pub id: String,
    /// The owner; `None` where nobody signs in.
    pub user_id: Option<String>,
    pub participant: String,
    pub status: ChatStatus,
    /// Partition of the chats, such as `2026/11`.
    pub partition: String,
    /// A JSON object.
    pub metadata: String,
    /// State of the bot's dialogue, as JSON.
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
    /// Whether an existing chat of another owner may be changed.
    pub any_owner: bool,
}

/// Result of deleting a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedChat {
    /// Keys of its files. The caller deletes the bytes.
    pub keys: Vec<String>,
    /// The runs that were unfinished, as they are now.
    pub cancelled: Vec<Run>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMessage {
    pub id: Uuid,
    pub kind: MessageType,
    pub content: String,
    /// A JSON object.
    pub metadata: String,
    pub created_at: i64,
}

#[derive(Clone, Copy, Debug)]
pub struct NewChatMessage<'a> {
    pub kind: MessageType,
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
    /// Gets a number if the chat already has a file of this name.
    pub name: &'a str,
    pub key: &'a str,
    pub size: i64,
}

/// A sequence of steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub id: String,
    pub chat_id: String,
    /// Endpoint that started it: a word of the caller's.
    pub started_by: String,
    pub status: RunStatus,
    /// Rises with every change that observers see.
    pub seq: i64,
    pub total: i64,
    /// The first step that is not completed; `total` if all are.
    pub next: i64,
    pub next_kind: StepKind,
    pub error: Option<String>,
    /// How often the present step was started.
    pub attempts: i64,
    pub created_at: i64,
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct NewRun<'a> {
    pub id: &'a str,
    pub chat: &'a str,
    pub started_by: &'a str,
    /// Without steps, the run completes at once.
    pub steps: &'a [NewStep],
    /// Input file of the first step.
    pub input: Option<i64>,
    /// Limit on waiting runs, this one included: for a worker, and in its chat.
    pub max_waiting: i64,
    /// Limit on waiting runs of the chat's owner, this one included. A chat without an owner has no
    /// such limit.
    pub share: i64,
    /// A request with a known key returns the run that there is.
    pub key: Option<RunKey<'a>>,
}

/// Selects runs by the owner of their chats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunScope<'a> {
    Anyone,
    /// Chats of this user; with `None`, chats without an owner.
    Owner(Option<&'a str>),
}

/// The idempotency key of a request.
#[derive(Clone, Copy, Debug)]
pub struct RunKey<'a> {
    /// The user; empty where nobody signs in.
    pub user: &'a str,
    pub key: &'a str,
    /// Digest of the request. The same key with another digest is refused.
    pub request: &'a str,
}

/// A step that ended under a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmittedStep {
    pub run: Run,
    pub step: Step,
    /// Digest of the result that the worker submitted.
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
    /// Name of the worker that executes it, or did.
    pub worker: Option<String>,
    pub started_at: Option<i64>,
    pub completed_at: Option<i64>,
}

/// Reason why no run was created or retried.
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

/// Reason why a file was not added to a chat.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Nothing was changed.
    #[error("a chat has at most {} files; go on in another chat", ChatFile::MAX)]
    TooMany,
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<sqlx::Error> for FileError {
    fn from(err: sqlx::Error) -> Self {
        Error::from(err).into()
    }
}

impl ChatFile {
    /// Most files that a chat may have.
    pub const MAX: usize = 9_999;
}

/// A chat with everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeChat {
    pub chat: Chat,
    /// The oldest first; files and runs, too.
    pub messages: Vec<ChatMessage>,
    pub files: Vec<ChatFile>,
    /// Each with its steps.
    pub runs: Vec<(Run, Vec<Step>)>,
}

/// A run under a worker's lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub run: Run,
    /// Id of the lease. Changes are refused without it.
    pub lease: Uuid,
    pub start: Start,
}

/// State in which a worker claims a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Fresh,
    /// Interrupted before.
    Resumed,
    /// Back from an external step.
    Returned,
}

/// An external step under a worker's lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Id of the claim. Changes are refused without it; only its worker knows it.
    pub claim: Uuid,
    pub run: Run,
    pub step: Step,
    /// End of the lease, unless it is renewed.
    pub until: i64,
}

/// Result of cancelling a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelRun {
    /// Cancelled.
    Ended(Run),
    /// Its worker will cancel it.
    Asked(Run),
    /// Ended before the request.
    Over(Run),
}

/// A file to download by name, until it is swept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDownload {
    pub name: String,
    pub user_id: Option<String>,
    pub key: String,
    /// In bytes.
    pub size: i64,
    pub created_at: i64,
}
