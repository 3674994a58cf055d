//! The handle on the database.
use std::{borrow::Cow, path::PathBuf, sync::Arc, time::Duration};

use crate::{Config, Lock, OpenError, config::Place, db::Db, health::Health, open, watch::DbFile};

/// The database. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    db: Db,
    /// Of `SQLite`.
    file: Option<Arc<DbFile>>,
    health: Health,
    /// When it was opened, in Unix milliseconds.
    opened: i64,
    keep_keys: Duration,
    busy_timeout: Duration,
}

/// What a migration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// How many steps were taken; 0 if the schema was current.
    pub applied: usize,
}

// === impl Store ===

impl Store {
    /// Makes the folder and the file of `sqlite://` if there are none. Migrates an old schema, or
    /// refuses it, as `auto_migrate` says.
    pub async fn open(config: &Config) -> Result<Self, OpenError> {
        let (db, migrated) = open::open(config, config.auto_migrate).await?;
        if migrated.applied > 0 {
            tracing::info!(applied = migrated.applied, "migrated the database");
        }
        let file = match config.place()? {
            Place::Sqlite(path) => Some(DbFile::open(path.into())),
            #[cfg(feature = "postgres")]
            Place::Postgres(_) => None,
        };
        let file = file.transpose().map_err(|why| OpenError::Open(why.into()))?.map(Arc::new);
        let Config { keep_keys, busy_timeout, .. } = *config;
        let (health, opened) = (Health::default(), now());
        Ok(Self(Arc::new(Shared { db, file, health, opened, keep_keys, busy_timeout })))
    }

    /// Keep other processes from this database, as long as the lock is held; nothing to hold if it
    /// has a server that does so, or is not there and is not to be made.
    pub fn lock(config: &Config) -> Result<Option<Lock>, OpenError> {
        match config.place()? {
            Place::Sqlite(path) => {
                let path = PathBuf::from(path);
                if !config.auto_migrate && !path.exists() {
                    return Ok(None);
                }
                Ok(Some(Lock::take(&open::lock_of(&path)?)?))
            }
            #[cfg(feature = "postgres")]
            Place::Postgres(_) => Ok(None),
        }
    }

    /// Bring the schema up to date, whatever `auto_migrate` says. Nobody else may use it meanwhile.
    pub async fn migrate(config: &Config) -> Result<Migrated, OpenError> {
        let _lock = Self::lock(&Config { auto_migrate: true, ..config.clone() })?;
        let (db, migrated) = open::open(config, true).await?;
        db.close(config.busy_timeout).await;
        Ok(migrated)
    }

    /// Waits for what is being done, at most `busy_timeout`; nothing can be done after.
    pub async fn close(&self) {
        self.db().close(self.0.busy_timeout).await;
    }

    pub(crate) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(crate) fn db_file(&self) -> Option<&Arc<DbFile>> {
        self.0.file.as_ref()
    }

    pub(crate) fn health(&self) -> &Health {
        &self.0.health
    }

    pub(crate) fn opened(&self) -> i64 {
        self.0.opened
    }

    pub(crate) fn busy_timeout(&self) -> Duration {
        self.0.busy_timeout
    }

    /// How long an idempotency key is remembered, in milliseconds.
    pub(crate) fn keep_keys(&self) -> i64 {
        i64::try_from(self.0.keep_keys.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Unix milliseconds.
pub(crate) fn now() -> i64 {
    i64::try_from(quadrille_core::now()).unwrap_or(i64::MAX)
}

/// `PostgreSQL` takes no NUL in a text; what both would give back is the same.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}
