//! The key book: which turn each idempotency key of a user stands for, in whatever topic.
use uuid::Uuid;

use super::model::StoredTurn;
use crate::{Error, Store, db::reading, store::clean};

/// Fails to change a row unless the key is new or expired.
pub(crate) const PUT: &str = "
    INSERT INTO turn_keys (user_id, key, turn_id, created_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (user_id, key)
    DO UPDATE SET turn_id = excluded.turn_id, created_at = excluded.created_at
    WHERE turn_keys.created_at <= $5";

const FIND: &str = "SELECT turn_id FROM turn_keys WHERE user_id = $1 AND key = $2";

pub(super) const FREE: &str = "DELETE FROM turn_keys WHERE turn_id = $1";

pub(crate) const DELETE_OLD: &str = "DELETE FROM turn_keys WHERE created_at < $1";

impl Store {
    /// Returns the turn of a key that could not be stored because it is taken. Fails if it is free by
    /// now; another attempt will do.
    pub async fn turn_of_key(&self, user: &str, key: &str) -> Result<StoredTurn, Error> {
        let (user, key) = (clean(user), clean(key));
        let turn: Option<Uuid> = reading!(self, |connection| {
            let find = sqlx::query_scalar(FIND).bind(&*user).bind(&*key);
            find.fetch_optional(connection).await?
        });
        let Some(turn) = turn else { return Err(Error::Busy) };
        self.turn(turn).await?.ok_or(Error::Busy)
    }
}
