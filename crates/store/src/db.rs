//! One SQL text on two databases: the pools, and the macros that run a statement on either.
use std::time::Duration;

use sqlx::{Database, Pool, pool::PoolConnection, sqlite::SqlitePool};

use crate::Error;

/// The pools of connections.
#[derive(Debug)]
pub(crate) enum Db {
    /// One connection writes, so that writers queue for it instead of polling a lock.
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgPool),
}

/// Runs an expression on a connection that only reads.
macro_rules! reading {
    ($store:expr, |$connection:ident| $body:expr) => {{
        let _permit = $store.connection().await?;
        match $store.db() {
            $crate::db::Db::Sqlite { readers, .. } => {
                let mut taken = $crate::db::take(readers).await?;
                let $connection = &mut *taken;
                $body
            }
            #[cfg(feature = "postgres")]
            $crate::db::Db::Postgres(pool) => {
                let mut taken = $crate::db::take(pool).await?;
                let $connection = &mut *taken;
                $body
            }
        }
    }};
}

/// Runs an expression in a transaction. Commits it unless the expression returns early.
macro_rules! writing {
    ($store:expr, |$transaction:ident| $body:expr) => {
        match $store.db() {
            $crate::db::Db::Sqlite { writer, .. } => {
                $store.check_usable().await?;
                let mut taken = $crate::db::take(writer).await?;
                // A transaction that begins with a read could not wait for the lock when it writes.
                let begun = sqlx::Connection::begin_with(&mut *taken, "BEGIN IMMEDIATE");
                let mut transaction = begun.await?;
                let $transaction = &mut *transaction;
                let done = $body;
                transaction.commit().await?;
                $store.check_still_there().await?;
                done
            }
            #[cfg(feature = "postgres")]
            $crate::db::Db::Postgres(pool) => {
                let _permit = $store.connection().await?;
                let mut taken = $crate::db::take(pool).await?;
                let mut transaction = sqlx::Connection::begin(&mut *taken).await?;
                let $transaction = &mut *transaction;
                let done = $body;
                transaction.commit().await?;
                done
            }
        }
    };
}

pub(crate) use {reading, writing};

/// Waits for a connection of the pool. Tells a pool in use from a server that does not answer.
pub(crate) async fn take<D: Database>(pool: &Pool<D>) -> Result<PoolConnection<D>, Error> {
    pool.acquire().await.map_err(|err| match err {
        // With room for one more connection, the wait was for the server.
        sqlx::Error::PoolTimedOut if !is_used_up(pool) => Error::Unavailable,
        err => err.into(),
    })
}

fn is_used_up<D: Database>(pool: &Pool<D>) -> bool {
    pool.size() >= pool.options().get_max_connections() && pool.num_idle() == 0
}

// === impl Db ===

impl Db {
    #[cfg_attr(
        not(feature = "postgres"),
        expect(unused_variables, reason = "there is one database in this build")
    )]
    /// Selects the text for this database.
    pub(crate) fn either(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite { .. } => sqlite,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => postgres,
        }
    }

    /// Closes every connection. Gives up after `limit`.
    pub(crate) async fn close(&self, limit: Duration) {
        let closed = async {
            match self {
                Self::Sqlite { writer, readers } => {
                    readers.close().await;
                    // The last one moves what is in the write-ahead log into the file.
                    writer.close().await;
                }
                #[cfg(feature = "postgres")]
                Self::Postgres(pool) => pool.close().await,
            }
        };
        if tokio::time::timeout(limit, closed).await.is_err() {
            tracing::warn!("connections to the database were still in use at shutdown");
        }
    }
}
