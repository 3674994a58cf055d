//! Handle on the database.
use std::{borrow::Cow, path::PathBuf, sync::Arc, time::Duration};

use quadrille_core::{Holder, Permit, Pool, Shares};

use crate::{
    Config, Error, Lock, OpenError, config::DbUrl, db::Db, health::Health, migrations::Migrated,
    open, watch::DbFile,
};

/// Handle on the database for one client. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
    /// The client whose share of the connections is used.
    holder: Holder,
}

#[derive(Debug)]
struct Shared {
    db: Db,
    /// `None` on `PostgreSQL`.
    file: Option<Arc<DbFile>>,
    health: Health,
    /// Time of opening, in Unix milliseconds.
    opened: i64,
    /// Connections that clients share. Writes to `SQLite` use another one.
    connections: Pool,
    keep_keys: Duration,
    busy_timeout: Duration,
}

// === impl Store ===

impl Store {
    /// Opens the database, and creates the folder and the file of `sqlite://` if needed. Migrates an
    /// old schema, or refuses it without `auto_migrate`.
    pub async fn open(config: &Config) -> Result<Self, OpenError> {
        Self::with_shares(config, &Shares::default()).await
    }

    /// Opens the database as [`open`](Self::open) does, and divides its connections into `shares`.
    pub async fn with_shares(config: &Config, shares: &Shares) -> Result<Self, OpenError> {
        let (db, migrated) = open::open(config, config.auto_migrate).await?;
        if migrated.applied > 0 {
            tracing::info!(applied = migrated.applied, "migrated the database");
        }
        let file = match config.parse_url()? {
            DbUrl::Sqlite(path) => Some(DbFile::open(path.into())),
            #[cfg(feature = "postgres")]
            DbUrl::Postgres(_) => None,
        };
        let file = file.transpose().map_err(|err| OpenError::Open(err.into()))?.map(Arc::new);
        let Config { keep_keys, busy_timeout, max_connections, .. } = *config;
        let size = usize::try_from(max_connections).unwrap_or(usize::MAX);
        let connections = Pool::new("database_connections", size, shares);
        let (health, opened) = (Health::default(), now());
        let inner = Shared { db, file, health, opened, connections, keep_keys, busy_timeout };
        Ok(Self { shared: Arc::new(inner), holder: Holder::Program })
    }

    /// Returns a handle whose reads count towards the share of `holder`.
    #[must_use]
    pub fn acting(&self, holder: Holder) -> Self {
        Self { shared: Arc::clone(&self.shared), holder }
    }

    /// Waits for a connection within the client's share, at most `busy_timeout`.
    pub(crate) async fn connection(&self) -> Result<Permit, Error> {
        let waiting = self.shared.connections.acquire(&self.holder, 1);
        let waited = tokio::time::timeout(self.shared.busy_timeout, waiting).await;
        waited.map_err(|_| Error::Busy)
    }

    /// Keeps other processes from this database while the lock is held. `None` on `PostgreSQL`, and
    /// if there is no file and none is to be created.
    pub fn lock(config: &Config) -> Result<Option<Lock>, OpenError> {
        match config.parse_url()? {
            DbUrl::Sqlite(path) => {
                let path = PathBuf::from(path);
                if !config.auto_migrate && !path.exists() {
                    return Ok(None);
                }
                Ok(Some(Lock::take(&open::lock_of(&path)?)?))
            }
            #[cfg(feature = "postgres")]
            DbUrl::Postgres(_) => Ok(None),
        }
    }

    /// Migrates the schema, whatever `auto_migrate` says. No other process may use it meanwhile.
    pub async fn migrate(config: &Config) -> Result<Migrated, OpenError> {
        let _lock = Self::lock(&Config { auto_migrate: true, ..config.clone() })?;
        let (db, migrated) = open::open(config, true).await?;
        db.close(config.busy_timeout).await;
        Ok(migrated)
    }

    /// Waits for running operations, at most `busy_timeout`. Later operations fail.
    pub async fn close(&self) {
        self.db().close(self.shared.busy_timeout).await;
    }

    pub(crate) fn db(&self) -> &Db {
        &self.shared.db
    }

    pub(crate) fn db_file(&self) -> Option<&Arc<DbFile>> {
        self.shared.file.as_ref()
    }

    pub(crate) fn health(&self) -> &Health {
        &self.shared.health
    }

    pub(crate) fn opened(&self) -> i64 {
        self.shared.opened
    }

    pub(crate) fn busy_timeout(&self) -> Duration {
        self.shared.busy_timeout
    }

    /// Returns the lifetime of an idempotency key in milliseconds.
    pub(crate) fn keep_keys(&self) -> i64 {
        i64::try_from(self.shared.keep_keys.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Returns the time in Unix milliseconds.
pub(crate) fn now() -> i64 {
    i64::try_from(quadrille_core::now()).unwrap_or(i64::MAX)
}

/// Replaces NUL, which `PostgreSQL` refuses in a text, so that both databases return the same.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use e2e::scratch::Scratch;
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn one_user_leaves_connections_to_the_others() {
        let home = Scratch::new();
        let config = Config {
            url: format!("sqlite://{}/a.db", home.path().display()),
            busy_timeout: Duration::from_millis(200),
            ..Config::default()
        };
        let store = Store::open(&config).await.unwrap();
        let [ann, bob] = ["ann", "bob"].map(|user| store.acting(Holder::User(user.into())));
        // A quarter of eight.
        let held = [ann.connection().await.unwrap(), ann.connection().await.unwrap()];
        let refused = ann.user_name("ann").await;
        assert!(matches!(refused, Err(Error::Busy)), "{refused:?}");
        assert_eq!(bob.user_name("ann").await.unwrap(), None);
        assert_eq!(store.user_name("ann").await.unwrap(), None);
        drop(held);
        // However many wait, all have their turn.
        let many = join_all((0..50).map(|_| ann.user_name("ann"))).await;
        assert!(many.iter().all(Result::is_ok), "{many:?}");
        assert_eq!(store.shared.connections.used(), 0);
    }
}
