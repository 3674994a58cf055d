//! Files to download by name, until they are swept.
use uuid::Uuid;

use super::{
    files::{free_name, with_mark},
    model::StoredDownload,
};
use crate::{
    Error, Store,
    db::{reading, writing},
    pending::ADD_AGAIN,
    store::{clean, now},
    users,
};

const ADD: &str = "
    INSERT INTO downloads (name, user_id, file_path, size, created_at)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";

const GET: &str = "
    SELECT name, user_id, file_path, size, created_at FROM downloads
    WHERE name = $1 AND ($3 OR user_id = $2) ORDER BY created_at DESC LIMIT 1";

const DELETE_OLD: &str = "
    DELETE FROM downloads WHERE file_path IN (
        SELECT file_path FROM downloads WHERE created_at < $1 ORDER BY created_at LIMIT 100)
    RETURNING file_path";

/// Names to try, each in a transaction, before a unique one is made up.
const MAX_NAME_TRIES: usize = 3;

impl Store {
    /// Adds a download, and returns its name, which differs if the user already has one of that
    /// `name`.
    pub async fn add_download(
        &self,
        name: &str,
        user: Option<&str>,
        key: &str,
        size: i64,
    ) -> Result<String, Error> {
        let (wanted, user, now) = (clean(name), user.map(clean), now());
        let mut taken = Vec::new();
        loop {
            let name = match taken.len() {
                ..MAX_NAME_TRIES => free_name(&wanted, &taken),
                _ => with_mark(&wanted, Uuid::now_v7().simple()),
            };
            let added = writing!(self, |tx| {
                if let Some(user) = user.as_deref() {
                    sqlx::query(users::ENSURE).bind(user).bind(now).execute(&mut *tx).await?;
                }
                let add = sqlx::query(ADD).bind(&*name).bind(user.as_deref()).bind(key);
                add.bind(size).bind(now).execute(&mut *tx).await?.rows_affected()
            });
            if added > 0 {
                return Ok(name);
            }
            if taken.len() > MAX_NAME_TRIES {
                return Err(Error::Busy);
            }
            taken.push(name);
        }
    }

    /// Returns the user's download; with `any_owner`, the newest of anybody.
    pub async fn download(
        &self,
        name: &str,
        user: Option<&str>,
        any_owner: bool,
    ) -> Result<Option<StoredDownload>, Error> {
        let (name, user) = (clean(name), user.map(clean));
        Ok(reading!(self, |connection| {
            let get = sqlx::query_as(GET).bind(&*name).bind(user.as_deref()).bind(any_owner);
            get.fetch_optional(connection).await?
        }))
    }

    /// Deletes downloads older than `before`, at most 100, and returns their keys. The caller has to
    /// [discard](crate::files::Files::discard) the bytes; [`tidy`](Self::tidy) removes what is left.
    /// Empty if there are no more.
    pub async fn forget_downloads(&self, before: i64) -> Result<Vec<String>, Error> {
        Ok(writing!(self, |tx| {
            let delete = sqlx::query_scalar(DELETE_OLD).bind(before);
            let keys: Vec<String> = delete.fetch_all(&mut *tx).await?;
            for key in &keys {
                sqlx::query(ADD_AGAIN).bind(key).bind(now()).execute(&mut *tx).await?;
            }
            keys
        }))
    }
}
