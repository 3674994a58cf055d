//! Workflows: chats, their files, and runs that continue after a restart.
mod backup;
mod chats;
mod downloads;
mod external;
mod files;
pub(crate) mod keys;
mod lease;
mod model;
mod queue;
mod rows;
mod runs;
mod whole;
mod words;

pub use self::{
    backup::BackupError,
    model::{
        CancelRun, Chat, ChatFile, ChatMessage, Claim, Claimed, DeletedChat, FileError, NewChat,
        NewChatFile, NewChatMessage, NewRun, NewStep, Run, RunError, RunKey, RunScope, Start, Step,
        StoredDownload, SubmittedStep, WholeChat,
    },
    words::{ChatStatus, MessageType, Place, RunStatus, StepKind, StepStatus},
};
