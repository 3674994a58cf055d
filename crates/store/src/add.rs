//! Adds a message with its turn and its files in one transaction, once for each idempotency key.
use std::{borrow::Cow, time::Duration};

use serde_json::Value;

use crate::{
    AddError, Added, Conversation, Error, FileInfo, Message, NewFile, NewMessage, NewTurn, Sender,
    Store,
    db::writing,
    store::{clean, now},
    turns::{self, model::StoredTurn},
    uploads, users,
    workflows::keys,
};

/// Locks the conversation until the end of the transaction, so that a key is not looked up twice
/// before it is written.
const TOUCH_CONVERSATION: &str =
    "UPDATE conversations SET updated_at = $2 WHERE id = $1 RETURNING title";

const FIND_KEY: &str = "
    SELECT k.message_id FROM idempotency_keys AS k
    WHERE k.conversation_id = $1 AND k.user_id = $2 AND k.key = $3 AND k.created_at > $4";

/// Sets the title before the first message of a user.
const SET_TITLE: &str = "
    UPDATE conversations SET title = $2 WHERE id = $1 AND NOT EXISTS (
        SELECT 1 FROM messages WHERE conversation_id = $1 AND role = 'user')";

pub(crate) const INSERT_MESSAGE: &str = "
    INSERT INTO messages (conversation_id, user_id, role, content, metadata, timestamp)
    VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";

/// Replaces a key that has expired.
const PUT_KEY: &str = "
    INSERT INTO idempotency_keys (conversation_id, user_id, key, message_id, created_at)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (conversation_id, user_id, key)
    DO UPDATE SET message_id = excluded.message_id, created_at = excluded.created_at";

const ATTACH_FILE: &str = "
    UPDATE file_uploads SET message_id = $1, conversation_id = $2
    WHERE file_path = $3 AND user_id = $4 AND message_id IS NULL
        AND (conversation_id IS NULL OR conversation_id = $2)
    RETURNING file_path, user_id, conversation_id, message_id, filename, content_type, size,
        uploaded_at";

const DELETE_OLD_KEYS: &str = "DELETE FROM idempotency_keys WHERE created_at < $1";

const SWEEP_INTERVAL: Duration = Duration::from_hours(1);

/// Most characters of a title that is taken from a message.
const MAX_TITLE_CHARS: usize = 60;

/// Reason to roll the transaction back.
enum AddRollback {
    /// The key has a message already.
    Known(i64),
    /// The key has a turn already.
    Asked,
    Refused(AddError),
}

impl Store {
    /// Adds a message, once for each key. Sets the conversation's `updated_at`, and its title if it
    /// has none yet.
    pub async fn add_message(&self, new: NewMessage<'_>) -> Result<Added, AddError> {
        self.add_message_with(new, &[]).await
    }

    /// Adds a message together with files whose bytes are stored already. They belong to the message
    /// and its user; their own `user` and `conversation` are ignored.
    pub async fn add_message_with(
        &self,
        new: NewMessage<'_>,
        uploads: &[NewFile<'_>],
    ) -> Result<Added, AddError> {
        match self.add(new, uploads).await {
            Ok(added) => Ok(added),
            Err(AddRollback::Refused(err)) => Err(err),
            Err(AddRollback::Known(id)) => {
                let message = self.message(id).await?.ok_or(AddError::NoConversation)?;
                if !is_same(&message, &new, uploads) {
                    return Err(AddError::KeyReused);
                }
                Ok(Added { message, is_new: false, turn: None, title: None })
            }
            Err(AddRollback::Asked) => {
                let asked = self.turn_of_key(new.user, new.key.unwrap_or_default()).await?;
                let is_same = new.turn.is_some_and(|turn| is_same_question(&asked, &turn, &new));
                let id = asked.question_message.filter(|_| is_same).ok_or(AddError::KeyReused)?;
                let message = self.message(id).await?.ok_or(AddError::NoConversation)?;
                Ok(Added { message, is_new: false, turn: Some(asked.id), title: None })
            }
        }
    }

    async fn add(
        &self,
        new: NewMessage<'_>,
        uploads: &[NewFile<'_>],
    ) -> Result<Added, AddRollback> {
        let NewMessage { conversation, user, sender, content, metadata, key, turn, files } = new;
        let (user, content) = (clean(user), clean(content));
        let (metadata, key) = (metadata.map(clean), key.map(clean));
        let now = now();
        let (id, title, files) = writing!(self, |tx| {
            let touch = sqlx::query_scalar(TOUCH_CONVERSATION).bind(conversation).bind(now);
            let title: Option<String> = touch.fetch_optional(&mut *tx).await?;
            let Some(title) = title else { return Err(AddError::NoConversation.into()) };
            if let Some(key) = key.as_deref().filter(|_| turn.is_none()) {
                let since = now.saturating_sub(self.keep_keys());
                let known = sqlx::query_as(FIND_KEY).bind(conversation).bind(&*user);
                let known = known.bind(key).bind(since).fetch_optional(&mut *tx).await?;
                let known: Option<(i64,)> = known;
                known.map_or(Ok(()), |(id,)| Err(AddRollback::Known(id)))?;
            }
            sqlx::query(users::ENSURE).bind(&*user).bind(now).execute(&mut *tx).await?;
            let mut given = None;
            if let Some(title) = title_of(&title, sender, &content) {
                let name = sqlx::query(SET_TITLE).bind(conversation).bind(&*title);
                let named = name.execute(&mut *tx).await?.rows_affected() > 0;
                given = named.then_some(title);
            }
            let insert = sqlx::query_scalar(INSERT_MESSAGE).bind(conversation).bind(&*user);
            let insert = insert.bind(sender.word()).bind(&*content).bind(metadata.as_deref());
            let id: i64 = insert.bind(now).fetch_one(&mut *tx).await?;
            if let Some(key) = key.as_deref().filter(|_| turn.is_none()) {
                let remember = sqlx::query(PUT_KEY).bind(conversation).bind(&*user).bind(key);
                remember.bind(id).bind(now).execute(&mut *tx).await?;
            }
            if let Some(NewTurn { id: turn, topic, agent }) = turn {
                let open = sqlx::query(turns::OPEN).bind(turn).bind(clean(topic).into_owned());
                let open = open.bind(&*user).bind(clean(agent).into_owned()).bind(None::<&str>);
                let open = open.bind(Some(conversation)).bind(Some(id)).bind(now);
                open.execute(&mut *tx).await?;
                if let Some(key) = key.as_deref() {
                    let put = sqlx::query(turns::keys::PUT).bind(&*user).bind(key).bind(turn);
                    let put = put.bind(now).bind(now.saturating_sub(self.keep_keys()));
                    if put.execute(&mut *tx).await?.rows_affected() == 0 {
                        return Err(AddRollback::Asked);
                    }
                }
            }
            for upload in uploads {
                let (media_type, add) = (clean(upload.media_type), sqlx::query(uploads::ADD));
                let add = add.bind(clean(upload.key).into_owned()).bind(&*user);
                let add = add.bind(conversation).bind(clean(upload.name).into_owned());
                let add = add.bind(uploads::top_level_type(&media_type).to_owned());
                let add = add.bind(media_type.into_owned()).bind(upload.size).bind(now);
                add.execute(&mut *tx).await?;
            }
            let mut attached = Vec::new();
            let keys =
                files.iter().map(String::as_str).chain(uploads.iter().map(|upload| upload.key));
            for key in keys {
                let attach = sqlx::query_as(ATTACH_FILE).bind(id).bind(conversation);
                let attach = attach.bind(clean(key).into_owned()).bind(&*user);
                let file: Option<FileInfo> = attach.fetch_optional(&mut *tx).await?;
                attached.extend(file);
            }
            (id, given, attached)
        });
        let message = Message {
            id,
            conversation_id: conversation,
            user_id: Some(user.into_owned()),
            sender,
            content: content.into_owned(),
            metadata: metadata.map(Cow::into_owned),
            files,
            created_at: now,
        };
        Ok(Added { message, is_new: true, turn: turn.map(|turn| turn.id), title })
    }

    /// Deletes expired idempotency keys every hour, for ever.
    pub async fn sweep(&self) {
        let mut hours = tokio::time::interval(SWEEP_INTERVAL);
        loop {
            hours.tick().await;
            match self.forget_keys(now().saturating_sub(self.keep_keys())).await {
                Ok(deleted) => tracing::debug!(deleted, "deleted expired idempotency keys"),
                Err(err) => {
                    tracing::warn!(error = %err, "cannot delete expired idempotency keys");
                }
            }
        }
    }

    /// Deletes the keys older than `before`, and returns their number. Keys older than
    /// `store.keep_keys` are ignored already, but take space.
    pub async fn forget_keys(&self, before: i64) -> Result<u64, Error> {
        Ok(writing!(self, |tx| {
            let runs = sqlx::query(keys::DELETE_OLD).bind(before).execute(&mut *tx).await?;
            let messages = sqlx::query(DELETE_OLD_KEYS).bind(before).execute(&mut *tx).await?;
            let turns = sqlx::query(turns::keys::DELETE_OLD).bind(before).execute(&mut *tx).await?;
            runs.rows_affected() + messages.rows_affected() + turns.rows_affected()
        }))
    }
}

/// Returns whether `new`, as the question of `turn`, asks what `asked` does.
fn is_same_question(asked: &StoredTurn, turn: &NewTurn<'_>, new: &NewMessage<'_>) -> bool {
    asked.topic == clean(turn.topic)
        && asked.question == clean(new.content)
        && (asked.agent.is_empty() || asked.agent == clean(turn.agent))
}

/// Returns whether `new` would be stored as `message`. Of files, compares names, types and sizes.
fn is_same(message: &Message, new: &NewMessage<'_>, uploads: &[NewFile<'_>]) -> bool {
    let value = |text: Option<&str>| -> Option<Value> {
        text.map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)))
    };
    let metadata = new.metadata.map(clean);
    let uploaded: Vec<_> =
        message.files.iter().filter(|file| !new.files.contains(&file.key)).collect();
    message.sender == new.sender
        && message.content == clean(new.content)
        && value(message.metadata.as_deref()) == value(metadata.as_deref())
        && uploaded.len() == uploads.len()
        && uploaded.iter().zip(uploads).all(|(old, new)| {
            old.name == clean(new.name)
                && old.media_type == clean(new.media_type)
                && old.size == new.size
        })
}

/// Returns the title that a message gives to its conversation, if that has none yet.
fn title_of(title: &str, sender: Sender, content: &str) -> Option<String> {
    let text = content.trim();
    if title != Conversation::TITLE || sender != Sender::User || text.is_empty() {
        return None;
    }
    let mut title: String = text.chars().take(MAX_TITLE_CHARS).collect();
    if title.len() < text.len() {
        title.push_str("...");
    }
    Some(title)
}

impl From<AddError> for AddRollback {
    fn from(err: AddError) -> Self {
        Self::Refused(err)
    }
}

impl From<Error> for AddRollback {
    fn from(err: Error) -> Self {
        Self::Refused(err.into())
    }
}

impl From<sqlx::Error> for AddRollback {
    fn from(err: sqlx::Error) -> Self {
        Error::from(err).into()
    }
}
