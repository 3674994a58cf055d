//! Conversations, messages and files in JSON, with each member under every name that a client
//! reads.
use quadrille_store::{Conversation, FileInfo, Message};
use serde::Serialize;
use serde_json::value::RawValue;
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
    id: i64,
    message_id: i64,
    conversation_id: i64,
    #[schema(value_type = Value)]
    user_id: Option<UserId<'a>>,
    sender: &'static str,
    role: &'static str,
    content: &'a str,
    #[schema(value_type = Value)]
    metadata: Option<&'a RawValue>,
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
    fn from(it: &'a Conversation) -> Self {
        Self {
            id: it.id,
            user_id: UserId(&it.user_id),
            title: &it.title,
            is_pinned: it.is_pinned,
            created_at: time(it.created_at),
            updated_at: time(it.updated_at),
        }
    }
}

impl<'a> MessageShape<'a> {
    pub(super) fn of(it: &'a Message, addresses: &'a Addresses) -> Self {
        let at = time(it.created_at);
        Self {
            id: it.id,
            message_id: it.id,
            conversation_id: it.conversation_id,
            user_id: it.user_id.as_deref().map(UserId),
            sender: sender(it.sender),
            role: sender(it.sender),
            content: &it.content,
            metadata: it.metadata.as_deref().and_then(|text| serde_json::from_str(text).ok()),
            uploaded_files: FileShape::all(&it.files, addresses),
            created_at: at.clone(),
            timestamp: at,
        }
    }
}

impl<'a> FileShape<'a> {
    pub(super) fn all(files: &'a [FileInfo], addresses: &'a Addresses) -> Vec<Self> {
        files.iter().map(|it| Self::of(it, addresses)).collect()
    }

    fn of(it: &'a FileInfo, addresses: &'a Addresses) -> Self {
        Self {
            key: &it.key,
            url: addresses.get(it),
            filename: &it.name,
            content_type: &it.media_type,
            size: it.size,
            conversation_id: it.conversation_id,
            message_id: it.message_id,
            uploaded_at: time(it.created_at),
        }
    }
}
