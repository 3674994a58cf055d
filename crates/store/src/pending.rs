//! Files that are written down before their bytes are, and again when they are forgotten: whatever a
//! kill leaves of one that nobody came to know, or that nobody knows any more, is found again, and
//! removed.
use std::time::Duration;

use crate::{
    Error, Store,
    db::{Db, reading, writing},
    files::Files,
    store::now,
};

const ADD: &str =
    "INSERT INTO pending_files (file_path, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";

/// Write down file $1 at time $2, in the transaction that forgets it. One that is still written down is
/// as new again, so that nobody settles it meanwhile.
pub(crate) const KEEP: &str = "
    INSERT INTO pending_files (file_path, created_at) VALUES ($1, $2)
    ON CONFLICT (file_path) DO UPDATE SET created_at = excluded.created_at";

/// Those that somebody knows need not be looked after any more.
const SETTLE: &str = "
    DELETE FROM pending_files WHERE created_at < $1 AND (
        EXISTS (SELECT 1 FROM file_uploads AS f WHERE f.file_path = pending_files.file_path)
        OR EXISTS (SELECT 1 FROM chat_files AS f WHERE f.file_path = pending_files.file_path)
        OR EXISTS (SELECT 1 FROM downloads AS f WHERE f.file_path = pending_files.file_path))";

/// In the order of their keys, after key $2.
const LOST: &str = "
    SELECT file_path FROM pending_files AS p WHERE created_at < $1 AND file_path > $2
        AND NOT EXISTS (SELECT 1 FROM file_uploads AS f WHERE f.file_path = p.file_path)
        AND NOT EXISTS (SELECT 1 FROM chat_files AS f WHERE f.file_path = p.file_path)
        AND NOT EXISTS (SELECT 1 FROM downloads AS f WHERE f.file_path = p.file_path)
    ORDER BY file_path LIMIT 100";

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

    /// The bytes under these keys are gone.
    pub(crate) async fn forget_files(&self, keys: &[&str]) -> Result<(), Error> {
        writing!(self, |tx| {
            for key in keys {
                sqlx::query(FORGET).bind(*key).execute(&mut *tx).await?;
            }
        });
        Ok(())
    }

    /// Remove the files from before a time that nobody knows, and give their number. One that cannot
    /// be removed now is kept for another time, and keeps no other.
    pub async fn remove_lost(&self, files: &Files, before: i64) -> Result<usize, Error> {
        writing!(self, |tx| {
            sqlx::query(SETTLE).bind(before).execute(&mut *tx).await?;
        });
        let (mut removed, mut after) = (0, String::new());
        loop {
            let lost: Vec<String> = reading!(self, |connection| {
                let lost = sqlx::query_scalar(LOST).bind(before).bind(&*after);
                lost.fetch_all(connection).await?
            });
            let Some(end) = lost.last() else { return Ok(removed) };
            after.clone_from(end);
            let mut gone = Vec::new();
            for key in &lost {
                match files.remove(key).await {
                    Ok(()) => gone.push(key.as_str()),
                    Err(why) => {
                        tracing::warn!(error = ?why, key, "a file that nobody knows stays for a while");
                    }
                }
            }
            self.forget_files(&gone).await?;
            removed += gone.len();
        }
    }
}

fn before(now: i64) -> i64 {
    now.saturating_sub(i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX))
}
