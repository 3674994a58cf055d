//! Deletes turns outside of conversations when they are old.
use std::time::Duration;

use crate::{Error, Store, db::writing, store::now};

/// Turns of one transaction: others write in between.
const BATCH: i64 = 500;

const DELETE_OLD: &str = "
    DELETE FROM turns WHERE id IN (
        SELECT id FROM turns WHERE conversation_id IS NULL AND ended_at < $1 LIMIT $2)";

const SWEEP_INTERVAL: Duration = Duration::from_hours(1);

impl Store {
    /// Deletes turns that ended longer than `keep` ago every hour, for ever.
    pub async fn sweep_turns(&self, keep: Duration) {
        let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let mut hours = tokio::time::interval(SWEEP_INTERVAL);
        loop {
            hours.tick().await;
            match self.forget_turns(now().saturating_sub(keep)).await {
                Ok(deleted) => tracing::debug!(deleted, "deleted old turns"),
                Err(err) => tracing::warn!(error = %err, "cannot delete old turns"),
            }
        }
    }

    /// Deletes the turns outside of conversations that ended before `before`, and returns their
    /// number.
    pub async fn forget_turns(&self, before: i64) -> Result<u64, Error> {
        let mut all = 0;
        loop {
            let deleted = writing!(self, |tx| {
                let delete = sqlx::query(DELETE_OLD).bind(before).bind(BATCH);
                delete.execute(&mut *tx).await?.rows_affected()
            });
            all += deleted;
            if deleted < BATCH.unsigned_abs() {
                return Ok(all);
            }
        }
    }
}
