//! What outlives the process: conversations, their messages and turns, and uploaded files.
mod add;
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
pub use model::{
    Added, Conversation, FileInfo, Found, Interrupted, Message, NewFile, NewMessage, Page, Sender,
    TurnEnd, Who,
};
pub use store::{Migrated, Store};
pub use workflows::{
    BackupError, Brought, CancelRun, Chat, ChatFile, ChatMessage, ChatStatus, Claim, Claimed,
    DeletedChat, Download, FileError, NewChat, NewChatFile, NewMessageOfChat, NewRun, NewStep,
    Place, Run, RunError, RunKey, RunStatus, RunsOf, Said, Start, Step, StepKind, StepStatus,
    WholeChat,
};
pub use writable::check_folder;
