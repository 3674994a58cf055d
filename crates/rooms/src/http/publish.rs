//! Stores a message with its files, and publishes it in the conversation.
use std::sync::Arc;

use quadrille_core::Draft;
use quadrille_edge::http::Base;
use quadrille_identity::Action;
use quadrille_store::{Added, Conversation, Message, NewFile, NewMessage, Sender};

use super::{
    caller::RoomsCaller,
    error::Error,
    intake::{Upload, discard},
};
use crate::{links::Addresses, state::State, topic};

/// A message that can be stored.
#[derive(Debug)]
pub(super) struct PendingMessage {
    pub(super) conversation: i64,
    pub(super) user: Arc<str>,
    pub(super) sender: Sender,
    pub(super) content: String,
    pub(super) metadata: Option<String>,
    /// Idempotency key.
    pub(super) key: Option<String>,
    pub(super) uploads: Vec<Upload>,
}

/// A message that is stored.
#[derive(Debug)]
pub(super) struct StoredMessage {
    pub(super) message: Message,
    /// The conversation as it is now.
    pub(super) conversation: Conversation,
    pub(super) is_new: bool,
    /// Links to its files.
    pub(super) addresses: Addresses,
}

/// Content of a message that has only files.
pub(super) const ONLY_FILES: &str = "[File attachment]";

impl PendingMessage {
    /// Stores the message, and publishes the name and payload that `event` makes of it. On an error
    /// no file is left.
    pub(super) async fn publish(
        self,
        state: &State,
        caller: &RoomsCaller,
        base: &Base,
        event: impl FnOnce(&Message, &Addresses) -> (&'static str, String),
    ) -> Result<StoredMessage, Error> {
        let stored = self.store(state, caller, base, event).await;
        if !stored.as_ref().is_ok_and(|stored| stored.is_new) {
            discard(state, &self.uploads).await;
        }
        stored
    }

    async fn store(
        &self,
        state: &State,
        caller: &RoomsCaller,
        base: &Base,
        event: impl FnOnce(&Message, &Addresses) -> (&'static str, String),
    ) -> Result<StoredMessage, Error> {
        let Self { conversation, user, sender, content, metadata, key, uploads: brought } = self;
        let found = caller.conversation(*conversation, Action::Write, Some(user)).await?;
        let topic = topic::of_conversation(found.id).ok_or(Error::NoConversation)?;
        let uploads: Vec<NewFile<'_>> = brought.iter().map(Upload::as_new).collect();
        let new = NewMessage {
            conversation: *conversation,
            user,
            sender: *sender,
            content,
            metadata: metadata.as_deref(),
            key: key.as_deref(),
            turn: None,
            files: &[],
        };
        let write_lock = state.write_lock(*conversation).await;
        let added = caller.store().add_message_with(new, &uploads).await?;
        let Added { message, is_new, title, .. } = added;
        let addresses = state.links.to(base, &message.files).await;
        let published = is_new.then(|| {
            let (kind, payload) = event(&message, &addresses);
            state.publish(Draft::new(topic, kind, payload))
        });
        drop(write_lock);
        if !is_new && !has_files(state, &message, brought).await? {
            return Err(Error::KeyReused);
        }
        // It is stored: whoever is not told now reads it later.
        if let Some(published) = published
            && let Err(err) = published.await
        {
            tracing::warn!(error = %err, "a stored message was not published");
        }
        let title = title.unwrap_or(found.title);
        let updated_at = found.updated_at.max(message.created_at);
        Ok(StoredMessage {
            message,
            conversation: Conversation { title, updated_at, ..found },
            is_new,
            addresses,
        })
    }
}

/// Whether the files of the stored `message` are those that were sent again. A deleted one equals
/// any.
async fn has_files(state: &State, message: &Message, again: &[Upload]) -> Result<bool, Error> {
    for (file, upload) in message.files.iter().zip(again) {
        if !state.storage.files.is_same(&file.key, upload.key()).await? {
            return Ok(false);
        }
    }
    Ok(true)
}
