//! Backups of the database while it is in use.
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use sqlx::SqlitePool;

use crate::{Error, Store, db::Db};

/// Reason why no backup was made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("this database has its own tools for backups; use pg_dump")]
    NotAFile,
    #[error("there is a file of this name")]
    There,
    #[error("cannot make the backup or its folder")]
    Folder(#[source] io::Error),
    #[error(transparent)]
    Store(#[from] Error),
}

/// Folder of the backups, beside the database.
const BACKUP_FOLDER: &str = "backups";

/// Suffix of a backup that is not complete.
const PARTIAL_SUFFIX: &str = ".partial";

impl Store {
    /// Returns the folder for backups, beside the database; `None` on `PostgreSQL`.
    pub fn backups(&self) -> Option<PathBuf> {
        match self.db() {
            Db::Sqlite { writer, .. } => {
                Some(writer.connect_options().get_filename().with_file_name(BACKUP_FOLDER))
            }
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => None,
        }
    }

    /// Writes a consistent copy to `path`, where no file may exist. Later writes are not included.
    pub async fn back_up(&self, path: &Path) -> Result<(), BackupError> {
        match self.db() {
            Db::Sqlite { readers, .. } => {
                if let Some(folder) = path.parent() {
                    // The same mode as the folder of the database.
                    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
                    made.map_err(BackupError::Folder)?;
                }
                if path.exists() {
                    return Err(BackupError::There);
                }
                let mut partial = path.to_owned();
                partial.as_mut_os_string().push(PARTIAL_SUFFIX);
                // The copy may go to an empty file; made like this, it is closed to other users.
                let file =
                    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial);
                file.map_err(|err| match err.kind() {
                    io::ErrorKind::AlreadyExists => BackupError::There,
                    _ => BackupError::Folder(err),
                })?;
                let copied = Self::copy(readers, &partial).await.map_err(BackupError::from);
                let copied =
                    copied.and_then(|()| fs::rename(&partial, path).map_err(BackupError::Folder));
                if copied.is_err() {
                    fs::remove_file(&partial).ok();
                }
                copied
            }
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => Err(BackupError::NotAFile),
        }
    }

    /// Removes incomplete backups that a killed process left. No other process may be making one.
    pub fn remove_half_backups(&self) {
        let entries = self.backups().and_then(|folder| fs::read_dir(folder).ok());
        for entry in entries.into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().ends_with(PARTIAL_SUFFIX)
                && let Err(err) = fs::remove_file(entry.path())
            {
                tracing::warn!(error = %err, path = ?entry.path(), "cannot remove an incomplete backup");
            }
        }
    }

    async fn copy(readers: &SqlitePool, path: &Path) -> Result<(), Error> {
        let mut taken = crate::db::take(readers).await?;
        // The copy is a write, which a read-only connection refuses.
        let copy = sqlx::query("VACUUM INTO $1").bind(path.to_string_lossy().into_owned());
        sqlx::query("PRAGMA query_only = off").execute(&mut *taken).await?;
        let copied = copy.execute(&mut *taken).await;
        let closed = sqlx::query("PRAGMA query_only = on").execute(&mut *taken).await;
        copied.and(closed)?;
        Ok(())
    }
}
