//! Rows of uploaded files; their bytes are in [`files`](crate::files).
use crate::{
    Error, FileInfo, NewFile, Page, Store,
    db::{reading, writing},
    store::{clean, now},
    users,
};

pub(crate) const ADD: &str = "
    INSERT INTO file_uploads
        (file_path, user_id, conversation_id, filename, file_type, content_type, size, uploaded_at)
    VALUES ($1, $2, (SELECT id FROM conversations WHERE id = $3), $4, $5, $6, $7, $8)
    RETURNING conversation_id";

const GET: &str = "
    SELECT file_path, user_id, conversation_id, message_id, filename, content_type, size,
        uploaded_at
    FROM file_uploads WHERE file_path = $1";

const LIST: &str = "
    SELECT file_path, user_id, conversation_id, message_id, filename, content_type, size,
        uploaded_at
    FROM file_uploads WHERE user_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3";

/// Returns the top-level type, such as `image` of `image/png`.
pub(crate) fn top_level_type(media_type: &str) -> &str {
    media_type.split('/').next().unwrap_or_default()
}

impl Store {
    /// Adds a file whose bytes are stored. A key that exists is an error.
    pub async fn add_file(&self, file: NewFile<'_>) -> Result<FileInfo, Error> {
        let NewFile { key, user, conversation, name, media_type, size } = file;
        let (key, user, name, media_type) =
            (clean(key), clean(user), clean(name), clean(media_type));
        let now = now();
        let top_level_type = top_level_type(&media_type);
        let conversation_id = writing!(self, |tx| {
            sqlx::query(users::ENSURE).bind(&*user).bind(now).execute(&mut *tx).await?;
            let add = sqlx::query_scalar(ADD).bind(&*key).bind(&*user).bind(conversation);
            let add = add.bind(&*name).bind(top_level_type).bind(&*media_type).bind(size).bind(now);
            add.fetch_one(&mut *tx).await?
        });
        Ok(FileInfo {
            key: key.into_owned(),
            user_id: user.into_owned(),
            conversation_id,
            message_id: None,
            name: name.into_owned(),
            media_type: media_type.into_owned(),
            size,
            created_at: now,
        })
    }

    pub async fn file(&self, key: &str) -> Result<Option<FileInfo>, Error> {
        let key = clean(key);
        Ok(reading!(self, |connection| {
            sqlx::query_as(GET).bind(&*key).fetch_optional(connection).await?
        }))
    }

    /// Lists the files of a user, the newest first.
    pub async fn files(&self, user: &str, page: Page) -> Result<Vec<FileInfo>, Error> {
        let (user, (limit, offset)) = (clean(user), page.bounds());
        Ok(reading!(self, |connection| {
            let list = sqlx::query_as(LIST).bind(&*user).bind(limit).bind(offset);
            list.fetch_all(connection).await?
        }))
    }
}
