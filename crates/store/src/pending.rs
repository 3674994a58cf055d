//! Files that are written down before their bytes are: whatever a kill leaves of one that nobody came
//! to know is found again, and removed.
use std::time::Duration;

use crate::{
    Error, Store,
    db::{Db, reading, writing},
    files::Files,
    store::now,
};

const ADD: &str =
    "INSERT INTO pending_files (file_path, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";

/// Those that somebody knows need not be looked after any more.
const SETTLE: &str = "
    DELETE FROM pending_files WHERE created_at < $1 AND (
        EXISTS (SELECT 1 FROM file_uploads AS f WHERE f.file_path = pending_files.file_path)
        OR EXISTS (SELECT 1 FROM chat_files AS f WHERE f.file_path = pending_files.file_path)
        OR EXISTS (SELECT 1 FROM downloads AS f WHERE f.file_path = pending_files.file_path))";

const LOST: &str = "
    SELECT file_path FROM pending_files AS p WHERE created_at < $1
        AND NOT EXISTS (SELECT 1 FROM file_uploads AS f WHERE f.file_path = p.file_path)
        AND NOT EXISTS (SELECT 1 FROM chat_files AS f WHERE f.file_path = p.file_path)
        AND NOT EXISTS (SELECT 1 FROM downloads AS f WHERE f.file_path = p.file_path)
    ORDER BY created_at LIMIT 100";

const FORGET: &str = "DELETE FROM pending_files WHERE file_path = $1";

/// How often files are looked for that nobody knows, while the process is there.
const EVERY: Duration = Duration::from_hours(1);

/// How long a file may be on its way, where other processes may be writing it.
const LONGEST: Duration = Duration::from_hours(24);

impl Store {
    /// A file is about to be stored under `key`.
    pub(crate) async fn expect_file(&self, key: &str) -> Result<(), Error> {
        let now = now();
        writing!(self, |tx| {
            sqlx::query(ADD).bind(key).bind(now).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Remove what nobody knows of `files`: at once what a process left that is gone, and from then on
    /// what has been on its way for longer than anything takes. For ever.
    pub async fn tidy(&self, files: &Files) {
        // Where nobody else writes, whatever is not known now was left.
        let is_alone = matches!(self.db(), Db::Sqlite { .. }) || files.is_locked();
        let opened = self.opened();
        let mut before = if is_alone { opened } else { before(opened) };
        loop {
            match self.remove_lost(files, before).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "files that nobody knows were removed"),
                Err(why) => {
                    tracing::warn!(error = %why, "files that nobody knows stay for a while");
                }
            }
            tokio::time::sleep(EVERY).await;
            before = self::before(now());
        }
    }

    /// Remove the files from before a time that nobody knows, and give their number.
    pub async fn remove_lost(&self, files: &Files, before: i64) -> Result<usize, Error> {
        writing!(self, |tx| {
            sqlx::query(SETTLE).bind(before).execute(&mut *tx).await?;
        });
        let mut removed = 0;
        loop {
            let lost: Vec<String> = reading!(self, |connection| {
                sqlx::query_scalar(LOST).bind(before).fetch_all(connection).await?
            });
            if lost.is_empty() {
                return Ok(removed);
            }
            for key in lost {
                files.remove(&key).await?;
                writing!(self, |tx| {
                    sqlx::query(FORGET).bind(&key).execute(&mut *tx).await?;
                });
                removed += 1;
            }
        }
    }
}

fn before(now: i64) -> i64 {
    now.saturating_sub(i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX))
}
