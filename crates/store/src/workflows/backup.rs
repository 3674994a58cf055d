//! A copy of the database while it is in use.
use std::{io, path::Path};

use crate::{Error, Store, db::Db};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("this database has its own tools for backups; use pg_dump")]
    NotAFile,
    #[error("cannot make the folder of the backup")]
    Folder(#[source] io::Error),
    #[error(transparent)]
    Store(#[from] Error),
}

impl Store {
    /// Write a copy to `path`, where no file may be. It is complete, and has no part of what is
    /// being written meanwhile.
    pub async fn back_up(&self, path: &Path) -> Result<(), BackupError> {
        match self.db() {
            Db::Sqlite { readers, .. } => {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder).map_err(BackupError::Folder)?;
                }
                let mut taken = crate::db::take(readers).await?;
                // It writes another file, which the connection's being read-only would forbid.
                let copy = sqlx::query("VACUUM INTO $1").bind(path.to_string_lossy().into_owned());
                sqlx::query("PRAGMA query_only = off")
                    .execute(&mut *taken)
                    .await
                    .map_err(Error::from)?;
                let copied = copy.execute(&mut *taken).await;
                let closed = sqlx::query("PRAGMA query_only = on").execute(&mut *taken).await;
                copied.and(closed).map_err(Error::from)?;
                Ok(())
            }
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => Err(BackupError::NotAFile),
        }
    }
}
