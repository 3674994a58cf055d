//! What is stored, as callers see it. All times are Unix milliseconds.
use uuid::Uuid;

/// Who wants to see a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who<'a> {
    /// A user, if they are a member.
    Member(&'a str),
    /// Whoever a grant of the token opens it to.
    Granted,
}

/// A part of a list. At most [`Page::MAX`] are given, and at most [`Page::BYTES`], whatever the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub limit: u32,
    pub offset: u32,
}

impl Page {
    /// The most that is given at once.
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
    /// When it was changed, or got its last message.
    pub updated_at: i64,
}

impl Conversation {
    /// What one is called before its first message gives it a title.
    pub const TITLE: &'static str = "New Conversation";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    User,
    Assistant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Rises with every message of the store.
    pub id: i64,
    pub conversation_id: i64,
    /// `None` for what an agent said.
    pub user_id: Option<String>,
    pub sender: Sender,
    pub content: String,
    /// JSON text, as it was given.
    pub metadata: Option<String>,
    pub files: Vec<FileInfo>,
    pub created_at: i64,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub messages: Vec<Message>,
    /// Whether there are others after these.
    pub has_more: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct NewMessage<'a> {
    pub conversation: i64,
    /// Who adds it. They are made if they are not known.
    pub user: &'a str,
    pub sender: Sender,
    pub content: &'a str,
    /// JSON text.
    pub metadata: Option<&'a str>,
    /// The same key from the same user in the same conversation adds nothing.
    pub key: Option<&'a str>,
    /// Opens a turn that this message asks for.
    pub turn: Option<Uuid>,
    /// Keys of files to attach. Those of somebody else, of another conversation, or of another
    /// message are left out.
    pub files: &'a [String],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    pub message: Message,
    /// Whether it was not there before.
    pub is_new: bool,
    /// The turn that the stored message asks for.
    pub turn: Option<Uuid>,
    /// The conversation's title, if this message gave it one.
    pub title: Option<String>,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnEnd {
    Completed,
    Failed,
    Cancelled,
}

/// A turn that a stop of the process cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupted {
    pub turn: Uuid,
    pub conversation_id: i64,
    /// What was stored in place of a reply.
    pub message: Message,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    pub key: String,
    pub user_id: String,
    pub conversation_id: Option<i64>,
    /// The message that it is attached to.
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
    /// Whose it is. They are made if they are not known.
    pub user: &'a str,
    /// If it is gone by now, the file is the user's alone.
    pub conversation: Option<i64>,
    pub name: &'a str,
    pub media_type: &'a str,
    pub size: i64,
}
