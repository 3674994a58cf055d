//! Reads messages.
use std::collections::HashMap;

use crate::{Error, FileInfo, Message, Page, Store, db::reading, pages::fitting};

const GET: &str = "
    SELECT id, conversation_id, user_id, role, content, metadata, timestamp FROM messages
    WHERE id = $1";

/// Lists ids and sizes. No database reads the texts for their sizes.
const MEASURE: &str = "
    SELECT id, CAST(OCTET_LENGTH(content) + COALESCE(OCTET_LENGTH(metadata), 0) AS BIGINT)
    FROM messages WHERE conversation_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";

/// Ends before the list of ids.
const GET_MANY: &str = "
    SELECT id, conversation_id, user_id, role, content, metadata, timestamp FROM messages
    WHERE id IN (";

/// Ends before the list of ids.
const LIST_FILES: &str = "
    SELECT file_path, user_id, conversation_id, message_id, filename, content_type, size,
        uploaded_at
    FROM file_uploads WHERE message_id IN (";

impl Store {
    pub async fn message(&self, id: i64) -> Result<Option<Message>, Error> {
        let message: Option<Message> = reading!(self, |connection| {
            sqlx::query_as(GET).bind(id).fetch_optional(connection).await?
        });
        let mut messages: Vec<_> = message.into_iter().collect();
        self.add_files(&mut messages).await?;
        Ok(messages.pop())
    }

    /// Lists the newest `limit` messages before message `before`, at most [`Page::MAX`] and
    /// [`Page::BYTES`]; the oldest first.
    pub async fn messages(
        &self,
        conversation: i64,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Message>, Error> {
        let before = before.unwrap_or(i64::MAX);
        let (limit, _) = Page { limit, offset: 0 }.bounds();
        let measured: Vec<(i64, i64)> = reading!(self, |connection| {
            let list = sqlx::query_as(MEASURE).bind(conversation).bind(before).bind(limit);
            list.fetch_all(connection).await?
        });
        let mut messages = self.messages_by_id(&fitting(measured, Page::BYTES)).await?;
        messages.reverse();
        Ok(messages)
    }

    /// Returns whether the conversation has messages before this one.
    pub async fn has_messages_before(&self, conversation: i64, id: i64) -> Result<bool, Error> {
        let first: Option<(i64, i64)> = reading!(self, |connection| {
            let list = sqlx::query_as(MEASURE).bind(conversation).bind(id).bind(1_i64);
            list.fetch_optional(connection).await?
        });
        Ok(first.is_some())
    }

    /// Reads the messages that still exist, the newest first.
    pub(crate) async fn messages_by_id(&self, ids: &[i64]) -> Result<Vec<Message>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut messages: Vec<Message> = reading!(self, |connection| {
            let mut query = sqlx::QueryBuilder::new(GET_MANY);
            let mut list = query.separated(", ");
            for id in ids {
                list.push_bind(*id);
            }
            query.push(") ORDER BY id DESC");
            query.build_query_as().persistent(false).fetch_all(connection).await?
        });
        self.add_files(&mut messages).await?;
        Ok(messages)
    }

    /// Adds its files to each message, in the order in which they were uploaded.
    pub(crate) async fn add_files(&self, messages: &mut [Message]) -> Result<(), Error> {
        if messages.is_empty() {
            return Ok(());
        }
        let found: Vec<FileInfo> = reading!(self, |connection| {
            let mut query = sqlx::QueryBuilder::new(LIST_FILES);
            let mut ids = query.separated(", ");
            for message in &*messages {
                ids.push_bind(message.id);
            }
            query.push(") ORDER BY id");
            // The text depends on the number of messages.
            query.build_query_as().persistent(false).fetch_all(connection).await?
        });
        let mut files = HashMap::<_, Vec<FileInfo>>::new();
        for file in found {
            files.entry(file.message_id).or_default().push(file);
        }
        for message in messages {
            message.files = files.remove(&Some(message.id)).unwrap_or_default();
        }
        Ok(())
    }
}
