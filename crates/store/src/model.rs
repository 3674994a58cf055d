//! Types of conversations, as callers see them. All times are Unix milliseconds.
use uuid::Uuid;

use crate::{NewTurn, columns::words};

/// Right by which a conversation is read or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access<'a> {
    /// Allowed if this user is a member.
    Member(&'a str),
    /// Allowed by a grant of the token.
    Granted,
}

/// A part of a list: at most [`Page::MAX`] rows and [`Page::BYTES`], whatever the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub limit: u32,
    pub offset: u32,
}

impl Page {
    /// Most rows of one page.
    pub const MAX: u32 = 1000;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub id: i64,
    /// The owner.
    pub user_id: String,
    pub title: String,
    pub is_pinned: bool,
    pub created_at: i64,
    /// Time of the last change or message.
    pub updated_at: i64,
}

impl Conversation {
    /// Title until the first message gives it one.
    pub const TITLE: &'static str = "New Conversation";
}

words! {
    Sender {
        User = "user",
        Assistant = "assistant",
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Rises with every message of the store.
    pub id: i64,
    pub conversation_id: i64,
    /// `None` for messages of an agent.
    pub user_id: Option<String>,
    pub sender: Sender,
    pub content: String,
    /// JSON text, as it was given.
    pub metadata: Option<String>,
    pub files: Vec<FileInfo>,
    pub created_at: i64,
}

/// One page of search results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPage {
    pub messages: Vec<Message>,
    /// Whether more messages follow.
    pub has_more: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct NewMessage<'a> {
    pub conversation: i64,
    /// The author. Created if needed.
    pub user: &'a str,
    pub sender: Sender,
    pub content: &'a str,
    /// JSON text.
    pub metadata: Option<&'a str>,
    /// Idempotency key, per user: of all turns if the message opens one, else of the messages of the
    /// conversation.
    pub key: Option<&'a str>,
    /// Opens a turn with this message as its question.
    pub turn: Option<NewTurn<'a>>,
    /// Keys of files to attach. Files of another user, conversation or message are skipped.
    pub files: &'a [String],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    pub message: Message,
    /// False if the key was known.
    pub is_new: bool,
    /// The turn whose question the message is.
    pub turn: Option<Uuid>,
    /// The conversation's title, if this message gave it one.
    pub title: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    pub key: String,
    pub user_id: String,
    pub conversation_id: Option<i64>,
    /// The message with this file.
    pub message_id: Option<i64>,
    pub name: String,
    pub media_type: String,
    /// In bytes.
    pub size: i64,
    pub created_at: i64,
}

#[derive(Clone, Copy, Debug)]
pub struct NewFile<'a> {
    pub key: &'a str,
    /// The owner. Created if needed.
    pub user: &'a str,
    /// Ignored if it was deleted meanwhile.
    pub conversation: Option<i64>,
    pub name: &'a str,
    pub media_type: &'a str,
    pub size: i64,
}
