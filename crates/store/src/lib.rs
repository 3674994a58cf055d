//! Storage that outlives the process: conversations, their messages and turns, and uploaded files.
mod add;
mod columns;
mod config;
mod conversations;
mod db;
mod error;
pub mod files;
mod health;
mod lock;
mod messages;
mod migrations;
mod model;
mod open;
mod pages;
mod pending;
mod rows;
mod search;
mod storage;
mod store;
mod turns;
mod uploads;
mod users;
mod watch;
mod workflows;
mod writable;

pub use config::{BadConfig, Config};
pub use error::{AddError, Error, OpenError};
pub use health::Fault;
pub use lock::{Lock, LockError};
pub use migrations::Migrated;
pub use model::{
    Access, Added, Conversation, FileInfo, Message, NewFile, NewMessage, Page, SearchPage, Sender,
};
pub use storage::Storage;
pub use store::Store;
pub use turns::model::{
    EndedTurn, NewEnd, NewTurn, RunningReply, Segment, StoredState, StoredTurn, TurnEnd,
    TurnOpening,
};
pub use workflows::{
    BackupError, CancelRun, Chat, ChatFile, ChatMessage, ChatStatus, Claim, Claimed, DeletedChat,
    FileError, MessageType, NewChat, NewChatFile, NewChatMessage, NewRun, NewStep, Place, Run,
    RunError, RunKey, RunScope, RunStatus, Start, Step, StepKind, StepStatus, StoredDownload,
    SubmittedStep, WholeChat,
};
pub use writable::check_folder;
