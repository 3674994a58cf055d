//! Opens a database by its address, and migrates or checks its schema.
use std::{
    fs::{self, DirBuilder, Permissions},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sqlx::{
    Connection, Sqlite,
    pool::PoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    Config, Migrated, OpenError,
    config::DbUrl,
    db::Db,
    migrations::{self, SQLITE},
};

const NOTHING_APPLIED: Migrated = Migrated { applied: 0 };

/// Opens the database. An old schema is an error without `migrate`.
pub(crate) async fn open(config: &Config, migrate: bool) -> Result<(Db, Migrated), OpenError> {
    config.check()?;
    match config.parse_url()? {
        DbUrl::Sqlite(path) => sqlite(config, path.as_ref(), migrate).await,
        #[cfg(feature = "postgres")]
        DbUrl::Postgres(options) => postgres::open(config, *options, migrate).await,
    }
}

/// Returns the lock file of the database at `path`: the same for every path to it.
pub(crate) fn lock_of(path: &Path) -> Result<PathBuf, OpenError> {
    let mut real = match path.canonicalize() {
        Ok(real) => real,
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            return Err(OpenError::Folder(path.display().to_string(), err));
        }
        Err(_) => {
            make_folder(path)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new(".")).canonicalize();
            let failed = |err| OpenError::Folder(path.display().to_string(), err);
            folder.map_err(failed)?.join(path.file_name().unwrap_or_default())
        }
    };
    real.as_mut_os_string().push(".lock");
    Ok(real)
}

fn make_folder(path: &Path) -> Result<(), OpenError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    // Other users of the machine may not read conversations.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|err| OpenError::Folder(folder.display().to_string(), err))
}

/// Takes the rights of others away: earlier versions left the files readable. Rights of the group
/// stay.
fn close_to_others(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut path = path.to_owned();
        path.as_mut_os_string().push(suffix);
        let Ok(meta) = fs::metadata(&path) else { continue };
        let mode = meta.permissions().mode();
        if mode & 0o007 != 0
            && let Err(err) = fs::set_permissions(&path, Permissions::from_mode(mode & 0o770))
        {
            tracing::warn!(error = %err, ?path, "every user of this machine can read this file");
        }
    }
}

async fn sqlite(config: &Config, path: &Path, migrate: bool) -> Result<(Db, Migrated), OpenError> {
    if !migrate && !path.exists() {
        return Err(OpenError::Old(SQLITE.len()));
    }
    make_folder(path)?;
    close_to_others(path);
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(migrate)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(config.busy_timeout)
        .foreign_keys(true);
    let pool = || {
        PoolOptions::<Sqlite>::new()
            .acquire_timeout(config.busy_timeout)
            // Connections to a file do not break or age.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    let writer = pool()
        .max_connections(1)
        // A full disk rolls back by itself, while sqlx counts the connection as in a transaction for
        // good. The ping waits for what is queued on the connection.
        .after_release(|connection, _| {
            Box::pin(async move {
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
        .connect_with(options.clone())
        .await?;
    let mut connection = writer.acquire().await?;
    let migrated = if migrate {
        // Another process that starts at the same time waits here.
        let mut all = connection.begin_with("BEGIN IMMEDIATE").await?;
        let migrated = migrations::run(&mut *all, SQLITE).await?;
        all.commit().await?;
        migrated
    } else {
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
        let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut *connection).await?;
        migrations::check(&mut *connection, SQLITE, tables > 0).await?;
        NOTHING_APPLIED
    };
    drop(connection);
    // A file that is missing from here on was removed: a new one would be empty.
    let options = options.create_if_missing(false);
    writer.set_connect_options(options.clone());
    let options = options.pragma("query_only", "on");
    let readers = pool().max_connections(config.max_connections).connect_lazy_with(options);
    Ok((Db::Sqlite { writer, readers }, migrated))
}

#[cfg(feature = "postgres")]
mod postgres {
    use std::time::Duration;

    use sqlx::{
        AssertSqlSafe, ConnectOptions, Connection, Executor, Postgres, postgres::PgConnectOptions,
    };

    use super::{Config, Db, Migrated, NOTHING_APPLIED, OpenError, PoolOptions};
    use crate::migrations::{self, POSTGRES};

    /// Longest wait for a connection at the start.
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    /// Longest time of a statement beside its wait for locks. The server continues a statement whose
    /// client has left, while another client has its connection already.
    const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

    /// Suppresses notices, which would be logged: a client can cause them, with a long word for
    /// example.
    const SET_QUIET: &str = "SET client_min_messages = warning";

    pub(super) async fn open(
        config: &Config,
        options: PgConnectOptions,
        migrate: bool,
    ) -> Result<(Db, Migrated), OpenError> {
        // The pool would retry and hide the reason.
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await;
        let silent = |_| OpenError::Open("the server does not answer".into());
        let mut connection = connected.map_err(silent)??;
        connection.execute(SET_QUIET).await?;
        let migrated = if migrate {
            migrations::run(&mut connection, POSTGRES).await?
        } else {
            let tables = "SELECT count(to_regclass('_sqlx_migrations'))";
            let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut connection).await?;
            migrations::check(&mut connection, POSTGRES, tables > 0).await?;
            NOTHING_APPLIED
        };
        // Only the farewell to the server can fail.
        connection.close().await.ok();
        let (wait, limit) =
            (config.busy_timeout, config.busy_timeout.saturating_add(STATEMENT_TIMEOUT));
        let (wait, limit) = (wait.as_millis(), limit.as_millis());
        let pool = PoolOptions::<Postgres>::new()
            .max_connections(config.max_connections)
            .acquire_timeout(config.busy_timeout)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    let set = AssertSqlSafe(format!(
                        "{SET_QUIET}; SET lock_timeout = {wait}; SET statement_timeout = {limit}"
                    ));
                    connection.execute(set).await.map(drop)
                })
            });
        Ok((Db::Postgres(pool.connect_lazy_with(options)), migrated))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[tokio::test]
        async fn a_statement_ends_though_its_client_has_left() {
            let url =
                std::env::var_os("QUADRILLE_TEST_POSTGRES").expect("it runs by `cargo xtask`");
            let url = url.into_string().unwrap();
            let options = url.parse().unwrap();
            let config = Config { url, ..Config::default() };
            let (db, _) = super::open(&config, options, true).await.unwrap();
            let Db::Postgres(pool) = &db else { unreachable!("it was opened on a server") };
            let limits =
                "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')";
            let limits: (String, String) = sqlx::query_as(limits).fetch_one(pool).await.unwrap();
            assert_eq!(limits, ("5s".to_owned(), "35s".to_owned()));
            db.close(config.busy_timeout).await;
        }
    }
}
