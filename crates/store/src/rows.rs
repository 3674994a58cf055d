//! Rows of conversations, messages and files, as the statements select them.
use crate::{Conversation, FileInfo, Message, Sender, columns::from_row};

from_row!(Conversation {
    id: i64 = "id",
    user_id: String = "user_id",
    title: String = "title",
    is_pinned: bool = "is_pinned",
    created_at: i64 = "created_at",
    updated_at: i64 = "updated_at",
});

from_row!(Message {
    id: i64 = "id",
    conversation_id: i64 = "conversation_id",
    user_id: Option<String> = "user_id",
    sender: Sender = "role",
    content: String = "content",
    metadata: Option<String> = "metadata",
    created_at: i64 = "timestamp",
    ;
    files: Vec::new(),
});

from_row!(FileInfo {
    key: String = "file_path",
    user_id: String = "user_id",
    conversation_id: Option<i64> = "conversation_id",
    message_id: Option<i64> = "message_id",
    name: String = "filename",
    media_type: String = "content_type",
    size: i64 = "size",
    created_at: i64 = "uploaded_at",
});
