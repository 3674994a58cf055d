//! Workflows: chats, their files, and runs that go on where a process left them.
mod backup;
mod chats;
mod downloads;
mod external;
mod files;
pub(crate) mod keys;
mod lease;
mod model;
mod runs;
mod whole;
mod words;

pub use self::{
    backup::BackupError,
    model::{
        Brought, CancelRun, Chat, ChatFile, ChatMessage, Claim, Claimed, DeletedChat, Download,
        FileError, NewChat, NewChatFile, NewMessageOfChat, NewRun, NewStep, Run, RunError, RunKey,
        RunsOf, Start, Step, WholeChat,
    },
    words::{ChatStatus, Place, RunStatus, Said, StepKind, StepStatus},
};
