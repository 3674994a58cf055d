//! Conversations, messages and files in JSON, with each member under every name that a client
//! reads.
use std::borrow::Cow;

use quadrille_store::{Conversation, FileInfo, Message, RunningReply, Sender};
use serde::Serialize;
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};
use utoipa::ToSchema;

use crate::{
    links::Addresses,
    wire::{UserId, sender, time},
};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoomConversation)]
pub(super) struct ConversationShape<'a> {
    id: i64,
    #[schema(value_type = Value)]
    user_id: UserId<'a>,
    title: &'a str,
    is_pinned: bool,
    created_at: String,
    updated_at: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoomMessage)]
pub(super) struct MessageShape<'a> {
    /// Null of a reply that is being made.
    id: Option<i64>,
    message_id: Option<i64>,
    conversation_id: i64,
    #[schema(value_type = Value)]
    user_id: Option<UserId<'a>>,
    sender: &'static str,
    role: &'static str,
    content: &'a str,
    #[schema(value_type = Value)]
    metadata: Option<Cow<'a, RawValue>>,
    uploaded_files: Vec<FileShape<'a>>,
    created_at: String,
    timestamp: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoomFile)]
pub(super) struct FileShape<'a> {
    key: &'a str,
    /// Opens the file for a while, without a token.
    url: &'a str,
    filename: &'a str,
    content_type: &'a str,
    size: i64,
    conversation_id: Option<i64>,
    message_id: Option<i64>,
    uploaded_at: String,
}

impl<'a> From<&'a Conversation> for ConversationShape<'a> {
    fn from(conversation: &'a Conversation) -> Self {
        Self {
            id: conversation.id,
            user_id: UserId(&conversation.user_id),
            title: &conversation.title,
            is_pinned: conversation.is_pinned,
            created_at: time(conversation.created_at),
            updated_at: time(conversation.updated_at),
        }
    }
}

impl<'a> MessageShape<'a> {
    pub(super) fn of(message: &'a Message, addresses: &'a Addresses) -> Self {
        let at = time(message.created_at);
        Self {
            id: Some(message.id),
            message_id: Some(message.id),
            conversation_id: message.conversation_id,
            user_id: message.user_id.as_deref().map(UserId),
            sender: sender(message.sender),
            role: sender(message.sender),
            content: &message.content,
            metadata: message
                .metadata
                .as_deref()
                .and_then(|text| serde_json::from_str(text).ok().map(Cow::Borrowed)),
            uploaded_files: FileShape::all(&message.files, addresses),
            created_at: at.clone(),
            timestamp: at,
        }
    }

    /// A reply that is being made, as far as it is stored. It has no id until it ends.
    pub(super) fn running(conversation_id: i64, reply: &'a RunningReply) -> Self {
        let at = time(reply.started_at);
        let metadata = to_raw_value(&json!({"turn": reply.turn, "status": "running"}));
        Self {
            id: None,
            message_id: None,
            conversation_id,
            user_id: None,
            sender: sender(Sender::Assistant),
            role: sender(Sender::Assistant),
            content: &reply.text,
            metadata: metadata.ok().map(Cow::Owned),
            uploaded_files: Vec::new(),
            created_at: at.clone(),
            timestamp: at,
        }
    }
}

impl<'a> FileShape<'a> {
    pub(super) fn all(files: &'a [FileInfo], addresses: &'a Addresses) -> Vec<Self> {
        files.iter().map(|file| Self::of(file, addresses)).collect()
    }

    fn of(file: &'a FileInfo, addresses: &'a Addresses) -> Self {
        Self {
            key: &file.key,
            url: addresses.get(file),
            filename: &file.name,
            content_type: &file.media_type,
            size: file.size,
            conversation_id: file.conversation_id,
            message_id: file.message_id,
            uploaded_at: time(file.created_at),
        }
    }
}
