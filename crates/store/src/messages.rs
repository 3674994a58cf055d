//! Messages, as they are read.
use std::collections::HashMap;

use crate::{
    Error, FileInfo, Found, Message, Page, Store,
    db::reading,
    pages::fitting,
    rows::{FileRow, MessageRow},
    store::clean,
};

const GET: &str = "
    SELECT id, conversation_id, user_id, role, content, metadata, timestamp FROM messages
    WHERE id = $1";

/// Messages and their bytes, which no database reads for that.
const LIST: &str = "
    SELECT id, CAST(OCTET_LENGTH(content) + COALESCE(OCTET_LENGTH(metadata), 0) AS BIGINT)
    FROM messages WHERE conversation_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";

/// Followed by ids and the end of the list.
const THESE: &str = "
    SELECT id, conversation_id, user_id, role, content, metadata, timestamp FROM messages
    WHERE id IN (";

/// Followed by ids and the end of the list.
const FILES: &str = "
    SELECT file_path, user_id, conversation_id, message_id, filename, content_type, size,
        uploaded_at
    FROM file_uploads WHERE message_id IN (";

const SEARCH_SQLITE: &str = "
    SELECT m.id, CAST(OCTET_LENGTH(m.content) + COALESCE(OCTET_LENGTH(m.metadata), 0) AS BIGINT)
    FROM message_words AS w JOIN messages AS m ON m.id = w.rowid
    JOIN members AS i ON i.conversation_id = m.conversation_id AND i.user_id = $1
    WHERE w.content MATCH $2 ORDER BY w.rowid DESC LIMIT $3 OFFSET $4";

const SEARCH_POSTGRES: &str = "
    SELECT m.id, CAST(OCTET_LENGTH(m.content) + COALESCE(OCTET_LENGTH(m.metadata), 0) AS BIGINT)
    FROM messages AS m
    JOIN members AS i ON i.conversation_id = m.conversation_id AND i.user_id = $1
    WHERE m.words @@ plainto_tsquery('simple', $2) ORDER BY m.id DESC LIMIT $3 OFFSET $4";

/// Words of a query; further ones are not asked for.
const MAX_WORDS: usize = 32;

impl Store {
    pub async fn message(&self, id: i64) -> Result<Option<Message>, Error> {
        let row: Option<MessageRow> = reading!(self, |connection| {
            sqlx::query_as(GET).bind(id).fetch_optional(connection).await?
        });
        let mut messages: Vec<_> = row.into_iter().map(Message::from).collect();
        self.add_files(&mut messages).await?;
        Ok(messages.pop())
    }

    /// The newest `limit` before message `before`, at most [`Page::MAX`] and [`Page::BYTES`]; the
    /// oldest first.
    pub async fn messages(
        &self,
        conversation: i64,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Message>, Error> {
        let before = before.unwrap_or(i64::MAX);
        let (limit, _) = Page { limit, offset: 0 }.bounds();
        let measured: Vec<(i64, i64)> = reading!(self, |connection| {
            let list = sqlx::query_as(LIST).bind(conversation).bind(before).bind(limit);
            list.fetch_all(connection).await?
        });
        let mut messages = self.these(&fitting(measured, Page::BYTES)).await?;
        messages.reverse();
        Ok(messages)
    }

    /// Whether the conversation has messages before this one.
    pub async fn has_messages_before(&self, conversation: i64, id: i64) -> Result<bool, Error> {
        let first: Option<(i64, i64)> = reading!(self, |connection| {
            let list = sqlx::query_as(LIST).bind(conversation).bind(id).bind(1_i64);
            list.fetch_optional(connection).await?
        });
        Ok(first.is_some())
    }

    /// Those messages that are still there, the newest first.
    async fn these(&self, ids: &[i64]) -> Result<Vec<Message>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<MessageRow> = reading!(self, |connection| {
            let mut query = sqlx::QueryBuilder::new(THESE);
            let mut list = query.separated(", ");
            for id in ids {
                list.push_bind(*id);
            }
            query.push(") ORDER BY id DESC");
            query.build_query_as().persistent(false).fetch_all(connection).await?
        });
        let mut messages: Vec<_> = rows.into_iter().map(Message::from).collect();
        self.add_files(&mut messages).await?;
        Ok(messages)
    }

    /// Messages with every word of `query`, in the conversations that the user is a member of; the
    /// newest first, at most [`Page::BYTES`] of them. Punctuation separates words and means nothing
    /// else. `PostgreSQL` knows the first 100,000 characters of a message.
    pub async fn search(&self, user: &str, query: &str, page: Page) -> Result<Found, Error> {
        let words = query.split(separates).filter(|it| !it.is_empty());
        let words: Vec<_> = words.take(MAX_WORDS).collect();
        if words.is_empty() {
            return Ok(Found::default());
        }
        let (user, (limit, offset)) = (clean(user), page.bounds());
        let quoted = format!("\"{}\"", words.join("\" \""));
        let plain = words.join(" ");
        let search = self.db().either(SEARCH_SQLITE, SEARCH_POSTGRES);
        let query = if search == SEARCH_SQLITE { quoted } else { plain };
        let mut measured: Vec<(i64, i64)> = reading!(self, |connection| {
            let search = sqlx::query_as(search).bind(&*user).bind(&*query);
            search.bind(limit + 1).bind(offset).fetch_all(connection).await?
        });
        let found = measured.len();
        measured.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let ids = fitting(measured, Page::BYTES);
        Ok(Found { has_more: ids.len() < found, messages: self.these(&ids).await? })
    }

    /// Each message's files, in the order in which they came.
    async fn add_files(&self, messages: &mut [Message]) -> Result<(), Error> {
        if messages.is_empty() {
            return Ok(());
        }
        let rows: Vec<FileRow> = reading!(self, |connection| {
            let mut query = sqlx::QueryBuilder::new(FILES);
            let mut ids = query.separated(", ");
            for message in &*messages {
                ids.push_bind(message.id);
            }
            query.push(") ORDER BY id");
            // There is one text for every number of messages.
            query.build_query_as().persistent(false).fetch_all(connection).await?
        });
        let mut files = HashMap::<_, Vec<FileInfo>>::new();
        for file in rows.into_iter().map(FileInfo::from) {
            files.entry(file.message_id).or_default().push(file);
        }
        for message in messages {
            message.files = files.remove(&Some(message.id)).unwrap_or_default();
        }
        Ok(())
    }
}

/// The same that separates words in the index of either database, as far as it matters: what is
/// left in a word is taken apart by the database itself.
fn separates(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c.is_ascii_punctuation()
}
