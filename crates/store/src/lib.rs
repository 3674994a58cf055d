//! What outlives the process: conversations, their messages and turns, and uploaded files.
mod add;
mod config;
mod conversations;
mod db;
mod error;
pub mod files;
mod messages;
mod migrations;
mod model;
mod open;
mod pages;
mod rows;
mod store;
mod turns;
mod uploads;
mod users;
mod workflows;

pub use config::{BadConfig, Config};
pub use error::{AddError, Error, OpenError};
pub use model::{
    Added, Conversation, FileInfo, Found, Interrupted, Message, NewFile, NewMessage, Page, Sender,
    TurnEnd, Who,
};
pub use store::{Migrated, Store};
pub use workflows::{
    BackupError, CancelRun, Chat, ChatFile, ChatMessage, ChatStatus, Claim, Claimed, Download,
    NewChat, NewChatFile, NewMessageOfChat, NewRun, NewStep, Place, Run, RunError, RunStatus,
    RunsOf, Said, Start, Step, StepKind, StepStatus, WholeChat,
};
