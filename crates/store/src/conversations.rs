//! Conversations and their members.
use crate::{
    Access, Conversation, Error, Page, Store,
    db::{reading, writing},
    store::{clean, now},
    users,
};

const CREATE: &str = "
    INSERT INTO conversations (user_id, title, created_at, updated_at) VALUES ($1, $2, $3, $3)
    RETURNING id";

const JOIN: &str = "INSERT INTO members (user_id, conversation_id, created_at) VALUES ($1, $2, $3)";

const LIST: &str = "
    SELECT c.id, c.user_id, c.title, c.is_pinned, c.created_at, c.updated_at
    FROM members AS m JOIN conversations AS c ON c.id = m.conversation_id
    WHERE m.user_id = $1
    ORDER BY c.is_pinned DESC, c.updated_at DESC, c.id DESC LIMIT $2 OFFSET $3";

const GET: &str = "
    SELECT id, user_id, title, is_pinned, created_at, updated_at FROM conversations
    WHERE id = $1 AND ($2 IS NULL OR EXISTS (
        SELECT 1 FROM members WHERE user_id = $2 AND conversation_id = $1))";

const UPDATE: &str = "
    UPDATE conversations
    SET title = COALESCE($3, title), is_pinned = COALESCE($4, is_pinned), updated_at = $5
    WHERE id = $1 AND ($2 IS NULL OR EXISTS (
        SELECT 1 FROM members WHERE user_id = $2 AND conversation_id = $1))
    RETURNING id, user_id, title, is_pinned, created_at, updated_at";

/// Keeps files from being added until the conversation is deleted.
const LOCK_SQLITE: &str = "SELECT id FROM conversations WHERE id = $1 AND user_id = $2";
const LOCK_POSTGRES: &str =
    "SELECT id FROM conversations WHERE id = $1 AND user_id = $2 FOR UPDATE";

/// Lets [`tidy`](Store::tidy) find the bytes if the process is killed before they are deleted.
const ADD_PENDING_FILES: &str = "
    INSERT INTO pending_files (file_path, created_at)
    SELECT file_path, $2 FROM file_uploads WHERE conversation_id = $1
    ON CONFLICT (file_path) DO UPDATE SET created_at = excluded.created_at";

const DELETE_FILES: &str =
    "DELETE FROM file_uploads WHERE conversation_id = $1 RETURNING file_path";

const DELETE: &str = "DELETE FROM conversations WHERE id = $1";

impl Store {
    /// Creates a conversation that the user owns and is a member of. Creates the user if needed. The
    /// default title is [`Conversation::TITLE`].
    pub async fn create_conversation(
        &self,
        user: &str,
        title: Option<&str>,
    ) -> Result<Conversation, Error> {
        let (user, title, now) = (clean(user), clean(title.unwrap_or(Conversation::TITLE)), now());
        let id = writing!(self, |tx| {
            sqlx::query(users::ENSURE).bind(&*user).bind(now).execute(&mut *tx).await?;
            let create = sqlx::query_scalar(CREATE).bind(&*user).bind(&*title).bind(now);
            let id: i64 = create.fetch_one(&mut *tx).await?;
            sqlx::query(JOIN).bind(&*user).bind(id).bind(now).execute(&mut *tx).await?;
            id
        });
        Ok(Conversation {
            id,
            user_id: user.into_owned(),
            title: title.into_owned(),
            is_pinned: false,
            created_at: now,
            updated_at: now,
        })
    }

    /// Lists the conversations of a member: pinned ones first, then by the latest change.
    pub async fn conversations(&self, user: &str, page: Page) -> Result<Vec<Conversation>, Error> {
        let (user, (limit, offset)) = (clean(user), page.bounds());
        Ok(reading!(self, |connection| {
            let list = sqlx::query_as(LIST).bind(&*user).bind(limit).bind(offset);
            list.fetch_all(connection).await?
        }))
    }

    /// Returns a conversation. `None` if there is none, or `access` does not allow it.
    pub async fn conversation(
        &self,
        id: i64,
        access: Access<'_>,
    ) -> Result<Option<Conversation>, Error> {
        let member = access.member().map(clean);
        Ok(reading!(self, |connection| {
            let get = sqlx::query_as(GET).bind(id).bind(member.as_deref());
            get.fetch_optional(connection).await?
        }))
    }

    /// Changes what is not `None`. `None` if there is no conversation, or `access` does not allow
    /// it.
    pub async fn update_conversation(
        &self,
        id: i64,
        access: Access<'_>,
        title: Option<&str>,
        pinned: Option<bool>,
    ) -> Result<Option<Conversation>, Error> {
        let (member, title) = (access.member().map(clean), title.map(clean));
        Ok(writing!(self, |tx| {
            let update = sqlx::query_as(UPDATE).bind(id).bind(member.as_deref());
            let update = update.bind(title.as_deref()).bind(pinned).bind(now());
            update.fetch_optional(&mut *tx).await?
        }))
    }

    /// Deletes a conversation and everything in it, and returns the keys of its files. The caller has
    /// to [discard](crate::files::Files::discard) the bytes; [`tidy`](Self::tidy) removes what is
    /// left. `None` if there is no conversation, or the user does not own it.
    pub async fn delete_conversation(
        &self,
        id: i64,
        user: &str,
    ) -> Result<Option<Vec<String>>, Error> {
        let user = clean(user);
        let lock = self.db().either(LOCK_SQLITE, LOCK_POSTGRES);
        let keys = writing!(self, |tx| {
            let locked = sqlx::query(lock).bind(id).bind(&*user).fetch_optional(&mut *tx).await?;
            if locked.is_none() {
                return Ok(None);
            }
            sqlx::query(ADD_PENDING_FILES).bind(id).bind(now()).execute(&mut *tx).await?;
            let files = sqlx::query_scalar(DELETE_FILES).bind(id);
            let keys: Vec<String> = files.fetch_all(&mut *tx).await?;
            sqlx::query(DELETE).bind(id).execute(&mut *tx).await?;
            keys
        });
        Ok(Some(keys))
    }
}

impl Access<'_> {
    /// Returns the user that has to be a member.
    fn member(&self) -> Option<&str> {
        match self {
            Self::Member(user) => Some(user),
            Self::Granted => None,
        }
    }
}

impl Page {
    /// Returns limit and offset, as statements take them.
    pub(crate) fn bounds(self) -> (i64, i64) {
        (self.limit.min(Self::MAX).into(), self.offset.into())
    }
}
