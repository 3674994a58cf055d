//! Idempotency keys of requests that begin runs or try them again.
use std::borrow::Cow;

use super::model::{Run, RunError, RunKey};
use crate::{
    Error, Store,
    db::reading,
    store::{clean, now},
};

pub(super) const KNOWN: &str = "
    SELECT request, run_id FROM run_keys
    WHERE chat_id = $1 AND user_id = $2 AND key = $3 AND created_at > $4";

/// Takes the place of a key that is too old to be known.
pub(super) const REMEMBER: &str = "
    INSERT INTO run_keys (chat_id, user_id, key, request, run_id, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (chat_id, user_id, key) DO UPDATE
    SET request = excluded.request, run_id = excluded.run_id, created_at = excluded.created_at";

pub(crate) const FORGET: &str = "DELETE FROM run_keys WHERE created_at < $1";

/// A key as it is stored.
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
    /// The run of a key that is known, if the same was asked for.
    pub(super) fn same(&self, known: Option<(String, String)>) -> Result<Option<String>, RunError> {
        match known {
            Some((request, run)) if request == self.request => Ok(Some(run)),
            Some(_) => Err(RunError::KeyReused),
            None => Ok(None),
        }
    }
}

impl Store {
    /// The run that a request of this key began before, or tried again; `None` if the key is not
    /// known in the chat.
    pub async fn run_of_key(&self, chat: &str, key: RunKey<'_>) -> Result<Option<Run>, RunError> {
        let chat = clean(chat);
        let key = key.clean();
        let known = self.known(&chat, &key).await?;
        match key.same(known)? {
            Some(run) => Ok(self.run(&run).await?),
            None => Ok(None),
        }
    }

    async fn known(
        &self,
        chat: &str,
        key: &CleanKey<'_>,
    ) -> Result<Option<(String, String)>, Error> {
        let since = now().saturating_sub(self.keep_keys());
        Ok(reading!(self, |connection| {
            let known =
                sqlx::query_as(KNOWN).bind(chat).bind(&*key.user).bind(&*key.key).bind(since);
            known.fetch_optional(connection).await?
        }))
    }
}
