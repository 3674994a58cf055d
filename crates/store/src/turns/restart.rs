//! Turns that the last process left: open ones, and ends that no reader of a topic was told.
use uuid::Uuid;

use super::model::StoredTurn;
use crate::{Error, Store, db::reading, db::writing};

/// Turns of one list.
const LIMIT: i64 = 100;

const OLDEST_OPEN: &str = "
    SELECT id FROM turns WHERE state = 'open' AND started_at < $1 ORDER BY started_at LIMIT $2";

const UNTOLD: &str = "SELECT id FROM turns WHERE untold ORDER BY ended_at, id LIMIT $1";

const TOLD: &str = "UPDATE turns SET untold = FALSE WHERE id = $1";

impl Store {
    /// Lists some of the open turns that started `before`, in Unix milliseconds, with the text there
    /// was. Empty when there is none left.
    pub async fn open_turns(&self, before: i64) -> Result<Vec<StoredTurn>, Error> {
        let ids: Vec<Uuid> = reading!(self, |connection| {
            let list = sqlx::query_scalar(OLDEST_OPEN).bind(before).bind(LIMIT);
            list.fetch_all(connection).await?
        });
        self.turns(&ids).await
    }

    /// Lists some of the turns that have ended and whose topics have yet to be told.
    pub async fn untold_turns(&self) -> Result<Vec<StoredTurn>, Error> {
        let ids: Vec<Uuid> = reading!(self, |connection| {
            sqlx::query_scalar(UNTOLD).bind(LIMIT).fetch_all(connection).await?
        });
        self.turns(&ids).await
    }

    /// Notes that the topics of these turns were told.
    pub async fn told(&self, turns: &[Uuid]) -> Result<(), Error> {
        writing!(self, |tx| {
            for turn in turns {
                sqlx::query(TOLD).bind(*turn).execute(&mut *tx).await?;
            }
        });
        Ok(())
    }

    async fn turns(&self, ids: &[Uuid]) -> Result<Vec<StoredTurn>, Error> {
        let mut turns = Vec::new();
        for id in ids {
            turns.extend(self.turn(*id).await?);
        }
        Ok(turns)
    }
}
