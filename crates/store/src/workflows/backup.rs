//! A copy of the database while it is in use.
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use sqlx::SqlitePool;

use crate::{Error, Store, db::Db};

/// Why there is no copy.
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

/// Where backups are, beside the database.
const FOLDER: &str = "backups";

/// What the name of a backup ends with until it is complete.
const PARTIAL: &str = ".partial";

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
                if path.exists() {
                    return Err(BackupError::There);
                }
                let mut partial = path.to_owned();
                partial.as_mut_os_string().push(PARTIAL);
                // The copy may be written to a file that is empty, and is nobody else's then.
                let file =
                    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial);
                file.map_err(|why| match why.kind() {
                    io::ErrorKind::AlreadyExists => BackupError::There,
                    _ => BackupError::Folder(why),
                })?;
                let copied = Self::copy(readers, &partial).await.map_err(BackupError::from);
                let copied =
                    copied.and_then(|()| fs::rename(&partial, path).map_err(BackupError::Folder));
                if copied.is_err() {
                    // Half of it is of no use.
                    fs::remove_file(&partial).ok();
                }
                copied
            }
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => Err(BackupError::NotAFile),
        }
    }

    /// Remove the halves of backups that a process left when it was killed. Nobody else may be
    /// making any.
    pub fn remove_half_backups(&self) {
        let entries = self.backups().and_then(|folder| fs::read_dir(folder).ok());
        for entry in entries.into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().ends_with(PARTIAL)
                && let Err(why) = fs::remove_file(entry.path())
            {
                tracing::warn!(error = %why, path = ?entry.path(), "half a backup is left");
            }
        }
    }

    async fn copy(readers: &SqlitePool, path: &Path) -> Result<(), Error> {
        let mut taken = crate::db::take(readers).await?;
        // It writes another file, which the connection's being read-only would forbid.
        let copy = sqlx::query("VACUUM INTO $1").bind(path.to_string_lossy().into_owned());
        sqlx::query("PRAGMA query_only = off").execute(&mut *taken).await?;
        let copied = copy.execute(&mut *taken).await;
        let closed = sqlx::query("PRAGMA query_only = on").execute(&mut *taken).await;
        copied.and(closed)?;
        Ok(())
    }
}
