//! Chats and what was said in them.
use uuid::Uuid;

use super::{
    model::{Chat, ChatMessage, DeletedChat, NewChat, NewMessageOfChat, Run},
    runs::RunRow,
    words::{ChatStatus, Said},
};
use crate::{
    Error, Page, Store,
    db::{reading, writing},
    pages::fitting,
    store::{clean, now},
    users,
};

/// A chat that is there keeps its owner, and is called anew if it may be.
const PUT: &str = "
    INSERT INTO chats
        (id, user_id, participant_name, status, partition_key, metadata, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
    ON CONFLICT (id) DO UPDATE
    SET participant_name = excluded.participant_name, updated_at = excluded.updated_at
    WHERE $8 OR chats.user_id IS NOT DISTINCT FROM excluded.user_id
    RETURNING id, user_id, participant_name, status, partition_key, metadata, dialogue, created_at,
        updated_at";

const GET: &str = "
    SELECT id, user_id, participant_name, status, partition_key, metadata, dialogue, created_at,
        updated_at
    FROM chats WHERE id = $1";

const LIST: &str = "
    SELECT id, CAST(OCTET_LENGTH(metadata) + COALESCE(OCTET_LENGTH(dialogue), 0) AS BIGINT)
    FROM chats WHERE ($1 IS NULL OR user_id = $1) AND ($2 IS NULL OR status = $2)
    ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4";

/// Followed by ids and the end of the list.
const THESE: &str = "
    SELECT id, user_id, participant_name, status, partition_key, metadata, dialogue, created_at,
        updated_at
    FROM chats WHERE id IN (";

/// Also keeps others from changing the chat until the end of the transaction.
pub(super) const TOUCH: &str =
    "UPDATE chats SET updated_at = $2, status = COALESCE($3, status) WHERE id = $1 RETURNING id";

const FILES: &str = "SELECT file_path FROM chat_files WHERE chat_id = $1";

/// A kill before their bytes are deleted leaves none for ever.
const KEEP_FILES: &str = "
    INSERT INTO pending_files (file_path, created_at)
    SELECT file_path, $2 FROM chat_files WHERE chat_id = $1
    ON CONFLICT (file_path) DO UPDATE SET created_at = excluded.created_at";

const CANCEL: &str = "
    UPDATE runs SET status = 'cancelled', seq = seq + 1, ended_at = $2
    WHERE chat_id = $1 AND status IN ('pending', 'running')
    RETURNING id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at";

const DELETE: &str = "DELETE FROM chats WHERE id = $1";

const REMEMBER: &str = "UPDATE chats SET dialogue = $2 WHERE id = $1";

pub(super) const SAY: &str = "
    INSERT INTO chat_messages (message_id, chat_id, message_type, content, metadata, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)";

const SAID: &str = "
    SELECT id, CAST(OCTET_LENGTH(content) + OCTET_LENGTH(metadata) AS BIGINT)
    FROM chat_messages WHERE chat_id = $1 ORDER BY id DESC LIMIT $2";

/// From message $2 on.
const SAID_SINCE: &str = "
    SELECT message_id, message_type, content, metadata, created_at
    FROM chat_messages WHERE chat_id = $1 AND id >= $2 ORDER BY id LIMIT $3";

type ChatRow = (String, Option<String>, String, String, String, String, Option<String>, i64, i64);
pub(super) type MessageRow = (Uuid, String, String, String, i64);

impl Store {
    /// Makes a chat, or gives one that is there another participant. `None` if that is somebody
    /// else's, and may not be.
    pub async fn put_chat(&self, new: NewChat<'_>) -> Result<Option<Chat>, Error> {
        let NewChat { id, user, participant, status, partition, metadata, any_owner } = new;
        let (id, user, now) = (clean(id), user.map(clean), now());
        let metadata = clean(metadata);
        let row: Option<ChatRow> = writing!(self, |tx| {
            if let Some(user) = user.as_deref() {
                sqlx::query(users::ENSURE).bind(user).bind(now).execute(&mut *tx).await?;
            }
            let put = sqlx::query_as(PUT).bind(&*id).bind(user.as_deref()).bind(participant);
            let put = put.bind(status.word()).bind(partition).bind(&*metadata).bind(now);
            put.bind(any_owner).fetch_optional(&mut *tx).await?
        });
        Ok(row.map(Chat::from))
    }

    pub async fn chat(&self, id: &str) -> Result<Option<Chat>, Error> {
        let id = clean(id);
        let row: Option<ChatRow> = reading!(self, |connection| {
            sqlx::query_as(GET).bind(&*id).fetch_optional(connection).await?
        });
        Ok(row.map(Chat::from))
    }

    /// The newest first; those of a user, or all. At most [`Page::BYTES`] of them.
    pub async fn chats(
        &self,
        user: Option<&str>,
        status: Option<ChatStatus>,
        page: Page,
    ) -> Result<Vec<Chat>, Error> {
        let (user, (limit, offset)) = (user.map(clean), page.bounds());
        let measured: Vec<(String, i64)> = reading!(self, |connection| {
            let list =
                sqlx::query_as(LIST).bind(user.as_deref()).bind(status.map(ChatStatus::word));
            list.bind(limit).bind(offset).fetch_all(connection).await?
        });
        let ids = fitting(measured, Page::BYTES);
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<ChatRow> = reading!(self, |connection| {
            let mut query = sqlx::QueryBuilder::new(THESE);
            let mut list = query.separated(", ");
            for id in &ids {
                list.push_bind(id);
            }
            query.push(") ORDER BY created_at DESC, id DESC");
            query.build_query_as().persistent(false).fetch_all(connection).await?
        });
        Ok(rows.into_iter().map(Chat::from).collect())
    }

    /// With everything in it; the bytes of its files are the caller's to
    /// [discard](crate::files::Files::discard), and what is left of them, [`tidy`](Self::tidy) removes.
    /// `None` if it is not there.
    pub async fn delete_chat(&self, id: &str) -> Result<Option<DeletedChat>, Error> {
        let (id, now) = (clean(id), now());
        let (keys, runs) = writing!(self, |tx| {
            let touch = sqlx::query(TOUCH).bind(&*id).bind(now).bind(None::<&str>);
            if touch.fetch_optional(&mut *tx).await?.is_none() {
                return Ok(None);
            }
            let files = sqlx::query_scalar(FILES).bind(&*id);
            let keys: Vec<String> = files.fetch_all(&mut *tx).await?;
            sqlx::query(KEEP_FILES).bind(&*id).bind(now).execute(&mut *tx).await?;
            let cancel = sqlx::query_as(CANCEL).bind(&*id).bind(now);
            let runs: Vec<RunRow> = cancel.fetch_all(&mut *tx).await?;
            sqlx::query(DELETE).bind(&*id).execute(&mut *tx).await?;
            (keys, runs)
        });
        let cancelled = runs.into_iter().map(Run::from).collect();
        Ok(Some(DeletedChat { keys, cancelled }))
    }

    /// What the bot waits for from now on, as JSON.
    pub async fn remember_dialogue(&self, chat: &str, dialogue: &str) -> Result<(), Error> {
        let (chat, dialogue) = (clean(chat), clean(dialogue));
        writing!(self, |tx| {
            sqlx::query(REMEMBER).bind(&*chat).bind(&*dialogue).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Keep what was said. False if there is no such chat.
    pub async fn say_in_chat(
        &self,
        chat: &str,
        status: Option<ChatStatus>,
        messages: &[NewMessageOfChat<'_>],
    ) -> Result<bool, Error> {
        let (chat, now) = (clean(chat), now());
        writing!(self, |tx| {
            let touch =
                sqlx::query(TOUCH).bind(&*chat).bind(now).bind(status.map(ChatStatus::word));
            if touch.fetch_optional(&mut *tx).await?.is_none() {
                return Ok(false);
            }
            for NewMessageOfChat { kind, content, metadata } in messages {
                let say = sqlx::query(SAY).bind(Uuid::now_v7()).bind(&*chat).bind(kind.word());
                let say = say.bind(clean(content).into_owned());
                say.bind(clean(metadata).into_owned()).bind(now).execute(&mut *tx).await?;
            }
        });
        Ok(true)
    }

    /// The last `limit` messages, the oldest first; at most [`Page::BYTES`] of them.
    pub async fn said_in_chat(&self, chat: &str, limit: u32) -> Result<Vec<ChatMessage>, Error> {
        let (chat, (limit, _)) = (clean(chat), Page { limit, offset: 0 }.bounds());
        let measured: Vec<(i64, i64)> = reading!(self, |connection| {
            let said = sqlx::query_as(SAID).bind(&*chat).bind(limit);
            said.fetch_all(connection).await?
        });
        let fitting = fitting(measured, Page::BYTES);
        let Some(oldest) = fitting.last() else { return Ok(Vec::new()) };
        let count = i64::try_from(fitting.len()).unwrap_or(i64::MAX);
        let rows: Vec<MessageRow> = reading!(self, |connection| {
            let said = sqlx::query_as(SAID_SINCE).bind(&*chat).bind(*oldest).bind(count);
            said.fetch_all(connection).await?
        });
        Ok(rows.into_iter().map(ChatMessage::from).collect())
    }
}

impl From<ChatRow> for Chat {
    fn from(row: ChatRow) -> Self {
        let (
            id,
            user_id,
            participant,
            status,
            partition,
            metadata,
            dialogue,
            created_at,
            updated_at,
        ) = row;
        let status = ChatStatus::parse(&status).unwrap_or(ChatStatus::Active);
        Self {
            id,
            user_id,
            participant,
            status,
            partition,
            metadata,
            dialogue,
            created_at,
            updated_at,
        }
    }
}

impl From<MessageRow> for ChatMessage {
    fn from((id, kind, content, metadata, created_at): MessageRow) -> Self {
        let kind = Said::parse(&kind).unwrap_or(Said::System);
        Self { id, kind, content, metadata, created_at }
    }
}
