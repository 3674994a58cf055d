//! Ledger of files. A key is entered before its bytes are stored, and again when its row is deleted,
//! so that bytes without a row are found and removed after a kill.
use std::time::Duration;

use crate::{
    Error, Store,
    db::{Db, reading, writing},
    files::Files,
    store::now,
};

const ADD: &str =
    "INSERT INTO pending_files (file_path, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";

/// Enters file $1 at time $2, in the transaction that deletes its row. A present entry gets the new
/// time, so that it is not settled meanwhile.
pub(crate) const ADD_AGAIN: &str = "
    INSERT INTO pending_files (file_path, created_at) VALUES ($1, $2)
    ON CONFLICT (file_path) DO UPDATE SET created_at = excluded.created_at";

/// Deletes the entries of files that have a row.
const DELETE_KNOWN: &str = "
    DELETE FROM pending_files WHERE created_at < $1 AND (
        EXISTS (SELECT 1 FROM file_uploads AS f WHERE f.file_path = pending_files.file_path)
        OR EXISTS (SELECT 1 FROM chat_files AS f WHERE f.file_path = pending_files.file_path)
        OR EXISTS (SELECT 1 FROM downloads AS f WHERE f.file_path = pending_files.file_path))";

/// Lists files without a row, in the order of their keys, after key $2.
const LIST_LOST: &str = "
    SELECT file_path FROM pending_files AS p WHERE created_at < $1 AND file_path > $2
        AND NOT EXISTS (SELECT 1 FROM file_uploads AS f WHERE f.file_path = p.file_path)
        AND NOT EXISTS (SELECT 1 FROM chat_files AS f WHERE f.file_path = p.file_path)
        AND NOT EXISTS (SELECT 1 FROM downloads AS f WHERE f.file_path = p.file_path)
    ORDER BY file_path LIMIT 100";

const DELETE: &str = "DELETE FROM pending_files WHERE file_path = $1";

/// Time between two sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_hours(1);

/// Longest time between the entry and the row, where other processes may be writing.
const MAX_UPLOAD_TIME: Duration = Duration::from_hours(24);

impl Store {
    /// Enters a file that is about to be stored under `key`.
    pub(crate) async fn expect_file(&self, key: &str) -> Result<(), Error> {
        let now = now();
        writing!(self, |tx| {
            sqlx::query(ADD).bind(key).bind(now).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Removes the bytes of `files` without a row: at once those that an ended process left, then every
    /// hour those older than a day. Never returns.
    pub async fn tidy(&self, files: &Files) {
        // Without other writers, every file from before the start was left.
        let is_alone = matches!(self.db(), Db::Sqlite { .. }) || files.is_locked();
        let opened = self.opened();
        let mut before = if is_alone { opened } else { before(opened) };
        loop {
            match self.remove_lost(files, before).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "removed orphaned files"),
                Err(err) => tracing::warn!(error = %err, "cannot remove orphaned files yet"),
            }
            tokio::time::sleep(SWEEP_INTERVAL).await;
            before = self::before(now());
        }
    }

    /// Deletes the entries of keys whose bytes are gone.
    pub(crate) async fn forget_files(&self, keys: &[&str]) -> Result<(), Error> {
        writing!(self, |tx| {
            for key in keys {
                sqlx::query(DELETE).bind(*key).execute(&mut *tx).await?;
            }
        });
        Ok(())
    }

    /// Removes files without a row that are older than `before`, and returns their number. Skips those
    /// that cannot be removed now.
    pub async fn remove_lost(&self, files: &Files, before: i64) -> Result<usize, Error> {
        writing!(self, |tx| {
            sqlx::query(DELETE_KNOWN).bind(before).execute(&mut *tx).await?;
        });
        let (mut removed, mut after) = (0, String::new());
        loop {
            let lost: Vec<String> = reading!(self, |connection| {
                let lost = sqlx::query_scalar(LIST_LOST).bind(before).bind(&*after);
                lost.fetch_all(connection).await?
            });
            let Some(end) = lost.last() else { return Ok(removed) };
            after.clone_from(end);
            let mut gone = Vec::new();
            for key in &lost {
                match files.remove(key).await {
                    Ok(()) => gone.push(key.as_str()),
                    Err(err) => {
                        tracing::warn!(error = ?err, key, "cannot remove an orphaned file yet");
                    }
                }
            }
            self.forget_files(&gone).await?;
            removed += gone.len();
        }
    }
}

fn before(now: i64) -> i64 {
    now.saturating_sub(i64::try_from(MAX_UPLOAD_TIME.as_millis()).unwrap_or(i64::MAX))
}
