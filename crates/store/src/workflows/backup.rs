//! A copy of the database while it is in use.
use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

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

/// Where backups are, beside the database.
const FOLDER: &str = "backups";

impl Store {
    /// The folder for backups, beside the database; `None` if that is no file.
    pub fn backups(&self) -> Option<PathBuf> {
        match self.db() {
            Db::Sqlite { writer, .. } => {
                Some(writer.connect_options().get_filename().with_file_name(FOLDER))
            }
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => None,
        }
    }

    /// Write a copy to `path`, where no file may be. It is complete, and has no part of what is
    /// being written meanwhile.
    pub async fn back_up(&self, path: &Path) -> Result<(), BackupError> {
        match self.db() {
            Db::Sqlite { readers, .. } => {
                if let Some(folder) = path.parent() {
                    // As that of the database.
                    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
                    made.map_err(BackupError::Folder)?;
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
