//! Chats and their messages.
use uuid::Uuid;

use super::{
    model::{Chat, ChatMessage, DeletedChat, NewChat, NewChatMessage},
    words::ChatStatus,
};
use crate::{
    Error, Page, Store,
    db::{reading, writing},
    pages::fitting,
    store::{clean, now},
    users,
};

/// An existing chat keeps its owner; its participant changes only with $8 or for its owner.
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

const MEASURE: &str = "
    SELECT id, CAST(OCTET_LENGTH(metadata) + COALESCE(OCTET_LENGTH(dialogue), 0) AS BIGINT)
    FROM chats WHERE ($1 IS NULL OR user_id = $1) AND ($2 IS NULL OR status = $2)
    ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4";

/// Followed by ids and the end of the list.
const GET_MANY: &str = "
    SELECT id, user_id, participant_name, status, partition_key, metadata, dialogue, created_at,
        updated_at
    FROM chats WHERE id IN (";

/// Locks the chat until the end of the transaction.
pub(super) const TOUCH_CHAT: &str =
    "UPDATE chats SET updated_at = $2, status = COALESCE($3, status) WHERE id = $1 RETURNING id";

const FILES: &str = "SELECT file_path FROM chat_files WHERE chat_id = $1";

/// Lets [`tidy`](Store::tidy) find the bytes if the process is killed before they are deleted.
const ADD_PENDING_FILES: &str = "
    INSERT INTO pending_files (file_path, created_at)
    SELECT file_path, $2 FROM chat_files WHERE chat_id = $1
    ON CONFLICT (file_path) DO UPDATE SET created_at = excluded.created_at";

const CANCEL_RUNS: &str = "
    UPDATE runs SET status = 'cancelled', seq = seq + 1, ended_at = $2
    WHERE chat_id = $1 AND status IN ('pending', 'running')
    RETURNING id, chat_id, origin, status, seq, total_steps, next_step, next_kind, error, attempts,
        created_at, started_at, ended_at";

const DELETE: &str = "DELETE FROM chats WHERE id = $1";

const SET_DIALOGUE: &str = "UPDATE chats SET dialogue = $2 WHERE id = $1";

pub(super) const INSERT_MESSAGE: &str = "
    INSERT INTO chat_messages (message_id, chat_id, message_type, content, metadata, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)";

const MEASURE_MESSAGES: &str = "
    SELECT id, CAST(OCTET_LENGTH(content) + OCTET_LENGTH(metadata) AS BIGINT)
    FROM chat_messages WHERE chat_id = $1 ORDER BY id DESC LIMIT $2";

/// From message $2 on.
const LIST_MESSAGES_SINCE: &str = "
    SELECT message_id, message_type, content, metadata, created_at
    FROM chat_messages WHERE chat_id = $1 AND id >= $2 ORDER BY id LIMIT $3";

impl Store {
    /// Creates a chat, or changes the participant of an existing one. `None` if that has another
    /// owner, and `any_owner` is not set.
    pub async fn put_chat(&self, new: NewChat<'_>) -> Result<Option<Chat>, Error> {
        let NewChat { id, user, participant, status, partition, metadata, any_owner } = new;
        let (id, user, now) = (clean(id), user.map(clean), now());
        let metadata = clean(metadata);
        Ok(writing!(self, |tx| {
            if let Some(user) = user.as_deref() {
                sqlx::query(users::ENSURE).bind(user).bind(now).execute(&mut *tx).await?;
            }
            let put = sqlx::query_as(PUT).bind(&*id).bind(user.as_deref()).bind(participant);
            let put = put.bind(status.word()).bind(partition).bind(&*metadata).bind(now);
            put.bind(any_owner).fetch_optional(&mut *tx).await?
        }))
    }

    pub async fn chat(&self, id: &str) -> Result<Option<Chat>, Error> {
        let id = clean(id);
        Ok(reading!(self, |connection| {
            sqlx::query_as(GET).bind(&*id).fetch_optional(connection).await?
        }))
    }

    /// Lists the chats of a user, or all, the newest first; at most [`Page::BYTES`] of them.
    pub async fn chats(
        &self,
        user: Option<&str>,
        status: Option<ChatStatus>,
        page: Page,
    ) -> Result<Vec<Chat>, Error> {
        let (user, (limit, offset)) = (user.map(clean), page.bounds());
        let measured: Vec<(String, i64)> = reading!(self, |connection| {
            let list =
                sqlx::query_as(MEASURE).bind(user.as_deref()).bind(status.map(ChatStatus::word));
            list.bind(limit).bind(offset).fetch_all(connection).await?
        });
        let ids = fitting(measured, Page::BYTES);
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        Ok(reading!(self, |connection| {
            let mut query = sqlx::QueryBuilder::new(GET_MANY);
            let mut list = query.separated(", ");
            for id in &ids {
                list.push_bind(id);
            }
            query.push(") ORDER BY created_at DESC, id DESC");
            query.build_query_as().persistent(false).fetch_all(connection).await?
        }))
    }

    /// Deletes a chat and everything in it. The caller has to
    /// [discard](crate::files::Files::discard) the bytes of its files; [`tidy`](Self::tidy) removes
    /// what is left. `None` if there is no such chat.
    pub async fn delete_chat(&self, id: &str) -> Result<Option<DeletedChat>, Error> {
        let (id, now) = (clean(id), now());
        Ok(writing!(self, |tx| {
            let touch = sqlx::query(TOUCH_CHAT).bind(&*id).bind(now).bind(None::<&str>);
            if touch.fetch_optional(&mut *tx).await?.is_none() {
                return Ok(None);
            }
            let files = sqlx::query_scalar(FILES).bind(&*id);
            let keys: Vec<String> = files.fetch_all(&mut *tx).await?;
            sqlx::query(ADD_PENDING_FILES).bind(&*id).bind(now).execute(&mut *tx).await?;
            let cancel = sqlx::query_as(CANCEL_RUNS).bind(&*id).bind(now);
            let cancelled = cancel.fetch_all(&mut *tx).await?;
            sqlx::query(DELETE).bind(&*id).execute(&mut *tx).await?;
            Some(DeletedChat { keys, cancelled })
        }))
    }

    /// Stores the state of the bot's dialogue, as JSON.
    pub async fn set_dialogue(&self, chat: &str, dialogue: &str) -> Result<(), Error> {
        let (chat, dialogue) = (clean(chat), clean(dialogue));
        writing!(self, |tx| {
            sqlx::query(SET_DIALOGUE).bind(&*chat).bind(&*dialogue).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Appends messages. False if there is no such chat.
    pub async fn add_chat_messages(
        &self,
        chat: &str,
        status: Option<ChatStatus>,
        messages: &[NewChatMessage<'_>],
    ) -> Result<bool, Error> {
        let (chat, now) = (clean(chat), now());
        writing!(self, |tx| {
            let touch =
                sqlx::query(TOUCH_CHAT).bind(&*chat).bind(now).bind(status.map(ChatStatus::word));
            if touch.fetch_optional(&mut *tx).await?.is_none() {
                return Ok(false);
            }
            for NewChatMessage { kind, content, metadata } in messages {
                let add = sqlx::query(INSERT_MESSAGE).bind(Uuid::now_v7()).bind(&*chat);
                let add = add.bind(kind.word()).bind(clean(content).into_owned());
                add.bind(clean(metadata).into_owned()).bind(now).execute(&mut *tx).await?;
            }
        });
        Ok(true)
    }

    /// Lists the last `limit` messages, the oldest first; at most [`Page::BYTES`] of them.
    pub async fn chat_messages(&self, chat: &str, limit: u32) -> Result<Vec<ChatMessage>, Error> {
        let (chat, (limit, _)) = (clean(chat), Page { limit, offset: 0 }.bounds());
        let measured: Vec<(i64, i64)> = reading!(self, |connection| {
            let list = sqlx::query_as(MEASURE_MESSAGES).bind(&*chat).bind(limit);
            list.fetch_all(connection).await?
        });
        let fitting = fitting(measured, Page::BYTES);
        let Some(oldest) = fitting.last() else { return Ok(Vec::new()) };
        let count = i64::try_from(fitting.len()).unwrap_or(i64::MAX);
        Ok(reading!(self, |connection| {
            let list = sqlx::query_as(LIST_MESSAGES_SINCE).bind(&*chat).bind(*oldest).bind(count);
            list.fetch_all(connection).await?
        }))
    }
}
