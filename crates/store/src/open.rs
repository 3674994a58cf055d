//! From an address to a database with the current schema.
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
    config::Place,
    db::Db,
    migrations::{self, SQLITE},
};

const CURRENT: Migrated = Migrated { applied: 0 };

/// Open what `config` names. An old schema is an error without `migrate`.
pub(crate) async fn open(config: &Config, migrate: bool) -> Result<(Db, Migrated), OpenError> {
    config.check()?;
    match config.place()? {
        Place::Sqlite(path) => sqlite(config, path.as_ref(), migrate).await,
        #[cfg(feature = "postgres")]
        Place::Postgres(options) => postgres::open(config, *options, migrate).await,
    }
}

/// The file that is locked for the database at `path`: one for all the ways that lead there.
pub(crate) fn lock_of(path: &Path) -> Result<PathBuf, OpenError> {
    let mut real = match path.canonicalize() {
        Ok(real) => real,
        // It is to be made.
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
            return Err(OpenError::Folder(path.display().to_string(), why));
        }
        Err(_) => {
            make_folder(path)?;
            let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new(".")).canonicalize();
            let failed = |why| OpenError::Folder(path.display().to_string(), why);
            folder.map_err(failed)?.join(path.file_name().unwrap_or_default())
        }
    };
    real.as_mut_os_string().push(".lock");
    Ok(real)
}

fn make_folder(path: &Path) -> Result<(), OpenError> {
    let Some(folder) = path.parent().filter(|it| !it.as_os_str().is_empty()) else { return Ok(()) };
    // What is said in confidence is not for everybody on the machine.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|why| OpenError::Folder(folder.display().to_string(), why))
}

/// A database of an earlier version may be open to everybody on the machine. What its group may do is
/// left as it is.
fn close_to_others(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut path = path.to_owned();
        path.as_mut_os_string().push(suffix);
        let Ok(meta) = fs::metadata(&path) else { continue };
        let mode = meta.permissions().mode();
        if mode & 0o007 != 0
            && let Err(why) = fs::set_permissions(&path, Permissions::from_mode(mode & 0o770))
        {
            tracing::warn!(error = %why, ?path, "everybody on this machine may read this");
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
            // A file does not go away, and a connection to it does not age.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    let writer = pool()
        .max_connections(1)
        // A full disk rolls back by itself; sqlx would take the connection to be in a transaction
        // for good. The ping waits for what is queued on the connection.
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
        CURRENT
    };
    drop(connection);
    // From here on, a file that is not there was removed: another one would be empty.
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

    use super::{CURRENT, Config, Db, Migrated, OpenError, PoolOptions};
    use crate::migrations::{self, POSTGRES};

    /// How long a server may take to let us in at the start.
    const CONNECT: Duration = Duration::from_secs(10);

    /// How long a statement may take besides its wait for locks. The server goes on with it when its client has left, and the
    /// place of the client is another's by then.
    const STATEMENT: Duration = Duration::from_secs(30);

    /// Notices would be logged, and a client can cause them: with a long word, for example.
    const QUIET: &str = "SET client_min_messages = warning";

    pub(super) async fn open(
        config: &Config,
        options: PgConnectOptions,
        migrate: bool,
    ) -> Result<(Db, Migrated), OpenError> {
        // Not by the pool, which would try again and hide the reason.
        let connected = tokio::time::timeout(CONNECT, options.connect()).await;
        let silent = |_| OpenError::Open("the server does not answer".into());
        let mut connection = connected.map_err(silent)??;
        connection.execute(QUIET).await?;
        let migrated = if migrate {
            migrations::run(&mut connection, POSTGRES).await?
        } else {
            let tables = "SELECT count(to_regclass('_sqlx_migrations'))";
            let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut connection).await?;
            migrations::check(&mut connection, POSTGRES, tables > 0).await?;
            CURRENT
        };
        // Politeness is all that can fail here.
        connection.close().await.ok();
        let (wait, limit) = (config.busy_timeout, config.busy_timeout.saturating_add(STATEMENT));
        let (wait, limit) = (wait.as_millis(), limit.as_millis());
        let pool = PoolOptions::<Postgres>::new()
            .max_connections(config.max_connections)
            .acquire_timeout(config.busy_timeout)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    let set = AssertSqlSafe(format!(
                        "{QUIET}; SET lock_timeout = {wait}; SET statement_timeout = {limit}"
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
