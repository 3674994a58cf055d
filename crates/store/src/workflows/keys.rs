//! Idempotency keys of requests that create runs or retry them.
use std::borrow::Cow;

use super::model::{Run, RunError, RunKey};
use crate::{
    Error, Store,
    db::reading,
    store::{clean, now},
};

pub(super) const FIND_KEY: &str = "
    SELECT request, run_id FROM run_keys
    WHERE chat_id = $1 AND user_id = $2 AND key = $3 AND created_at > $4";

/// Replaces a key that has expired.
pub(super) const PUT_KEY: &str = "
    INSERT INTO run_keys (chat_id, user_id, key, request, run_id, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (chat_id, user_id, key) DO UPDATE
    SET request = excluded.request, run_id = excluded.run_id, created_at = excluded.created_at";

pub(crate) const DELETE_OLD: &str = "DELETE FROM run_keys WHERE created_at < $1";

/// An idempotency key as it is stored.
pub(super) struct CleanKey<'a> {
    pub(super) user: Cow<'a, str>,
    pub(super) key: Cow<'a, str>,
    pub(super) request: &'a str,
}

impl<'a> RunKey<'a> {
    pub(super) fn clean(self) -> CleanKey<'a> {
        CleanKey { user: clean(self.user), key: clean(self.key), request: self.request }
    }
}

impl CleanKey<'_> {
    /// Returns the run of a stored key, or an error if it was stored with another request.
    pub(super) fn matching_run(
        &self,
        stored: Option<(String, String)>,
    ) -> Result<Option<String>, RunError> {
        match stored {
            Some((request, run)) if request == self.request => Ok(Some(run)),
            Some(_) => Err(RunError::KeyReused),
            None => Ok(None),
        }
    }
}

impl Store {
    /// Returns the run that an earlier request with this key created or retried; `None` if the chat
    /// has no such key.
    pub async fn run_of_key(&self, chat: &str, key: RunKey<'_>) -> Result<Option<Run>, RunError> {
        let chat = clean(chat);
        let key = key.clean();
        match key.matching_run(self.find_key(&chat, &key).await?)? {
            Some(run) => Ok(self.run(&run).await?),
            None => Ok(None),
        }
    }

    async fn find_key(
        &self,
        chat: &str,
        key: &CleanKey<'_>,
    ) -> Result<Option<(String, String)>, Error> {
        let since = now().saturating_sub(self.keep_keys());
        Ok(reading!(self, |connection| {
            let find =
                sqlx::query_as(FIND_KEY).bind(chat).bind(&*key.user).bind(&*key.key).bind(since);
            find.fetch_optional(connection).await?
        }))
    }
}
