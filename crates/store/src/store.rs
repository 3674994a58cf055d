//! The handle on the database.
use std::{borrow::Cow, sync::Arc, time::Duration};

use crate::{Config, OpenError, db::Db, open};

/// The database. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    db: Db,
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
        let Config { keep_keys, busy_timeout, .. } = *config;
        Ok(Self(Arc::new(Shared { db, keep_keys, busy_timeout })))
    }

    /// Bring the schema up to date, whatever `auto_migrate` says.
    pub async fn migrate(config: &Config) -> Result<Migrated, OpenError> {
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
