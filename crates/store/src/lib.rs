//! What outlives the process: conversations, their messages and turns, and uploaded files.
mod config;
mod error;
pub mod files;
mod model;
mod store;

pub use config::{BadConfig, Config};
pub use error::{AddError, Error, OpenError};
pub use model::{
    Added, Conversation, FileInfo, Interrupted, Message, NewFile, NewMessage, Page, Sender,
    TurnEnd, Who,
};
pub use store::{Migrated, Store};
