//! Rows as the statements select them, and what they are outside.
use crate::{Conversation, FileInfo, Message, Sender};

/// id, `user_id`, title, `is_pinned`, `created_at`, `updated_at`
pub(crate) type ConversationRow = (i64, String, String, bool, i64, i64);

/// id, `conversation_id`, `user_id`, role, content, metadata, timestamp
pub(crate) type MessageRow = (i64, i64, Option<String>, String, String, Option<String>, i64);

/// `file_path`, `user_id`, `conversation_id`, `message_id`, filename, `content_type`, size,
/// `uploaded_at`
pub(crate) type FileRow = (String, String, Option<i64>, Option<i64>, String, String, i64, i64);

impl From<ConversationRow> for Conversation {
    fn from(row: ConversationRow) -> Self {
        let (id, user_id, title, is_pinned, created_at, updated_at) = row;
        Self { id, user_id, title, is_pinned, created_at, updated_at }
    }
}

impl From<FileRow> for FileInfo {
    fn from(row: FileRow) -> Self {
        let (key, user_id, conversation_id, message_id, name, media_type, size, created_at) = row;
        Self { key, user_id, conversation_id, message_id, name, media_type, size, created_at }
    }
}

impl From<MessageRow> for Message {
    /// Without its files.
    fn from(row: MessageRow) -> Self {
        let (id, conversation_id, user_id, role, content, metadata, created_at) = row;
        let sender =
            if role == Sender::Assistant.role() { Sender::Assistant } else { Sender::User };
        let files = Vec::new();
        Self { id, conversation_id, user_id, sender, content, metadata, files, created_at }
    }
}

impl Sender {
    /// As the database has it.
    pub(crate) fn role(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}
