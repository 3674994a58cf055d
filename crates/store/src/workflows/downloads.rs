//! Files for whoever knows their names, until they are swept.
use uuid::Uuid;

use super::{
    files::{free, marked},
    model::Download,
};
use crate::{
    Error, Store,
    db::{reading, writing},
    pending::KEEP,
    store::{clean, now},
    users,
};

const ADD: &str = "
    INSERT INTO downloads (name, user_id, file_path, size, created_at)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";

const GET: &str = "
    SELECT name, user_id, file_path, size, created_at FROM downloads
    WHERE name = $1 AND ($3 OR user_id = $2) ORDER BY created_at DESC LIMIT 1";

const FORGET: &str = "
    DELETE FROM downloads WHERE file_path IN (
        SELECT file_path FROM downloads WHERE created_at < $1 ORDER BY created_at LIMIT 100)
    RETURNING file_path";

/// Names that are tried, each with a transaction, before one that nobody has.
const TRIES: usize = 3;

impl Store {
    /// Gives the name that it has, which is another one if the user has one of that `name`.
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
                ..TRIES => free(&wanted, &taken),
                _ => marked(&wanted, Uuid::now_v7().simple()),
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
            if taken.len() > TRIES {
                return Err(Error::Busy);
            }
            taken.push(name);
        }
    }

    /// The one that the user has; or with `any_owner`, the newest that anybody has.
    pub async fn download(
        &self,
        name: &str,
        user: Option<&str>,
        any_owner: bool,
    ) -> Result<Option<Download>, Error> {
        let (name, user) = (clean(name), user.map(clean));
        let row: Option<(String, Option<String>, String, i64, i64)> =
            reading!(self, |connection| {
                let get = sqlx::query_as(GET).bind(&*name).bind(user.as_deref()).bind(any_owner);
                get.fetch_optional(connection).await?
            });
        Ok(row.map(|(name, user_id, key, size, created_at)| Download {
            name,
            user_id,
            key,
            size,
            created_at,
        }))
    }

    /// Forget some of those from before a time. Gives their keys, whose bytes are the caller's to
    /// [discard](crate::files::Files::discard); what is left of them, [`tidy`](Self::tidy) removes.
    /// None if there are no more.
    pub async fn forget_downloads(&self, before: i64) -> Result<Vec<String>, Error> {
        Ok(writing!(self, |tx| {
            let forget = sqlx::query_scalar(FORGET).bind(before);
            let keys: Vec<String> = forget.fetch_all(&mut *tx).await?;
            for key in &keys {
                sqlx::query(KEEP).bind(key).bind(now()).execute(&mut *tx).await?;
            }
            keys
        }))
    }
}
