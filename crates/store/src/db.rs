//! One SQL text on two databases: the pools, and what runs a statement on either.
use std::time::Duration;

use sqlx::{Database, Pool, pool::PoolConnection, sqlite::SqlitePool};

use crate::Error;

/// Where statements run.
#[derive(Debug)]
pub(crate) enum Db {
    /// One connection writes, so that nobody waits for a lock who could wait for a turn.
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgPool),
}

/// A connection that only reads, for the expression.
macro_rules! reading {
    ($store:expr, |$connection:ident| $body:expr) => {{
        let _place = $store.connection().await?;
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

/// A transaction that may write. It is committed unless the expression returns before its end.
macro_rules! writing {
    ($store:expr, |$transaction:ident| $body:expr) => {
        match $store.db() {
            $crate::db::Db::Sqlite { writer, .. } => {
                $store.usable().await?;
                let mut taken = $crate::db::take(writer).await?;
                // One that reads first could not wait for the lock when it writes.
                let begun = sqlx::Connection::begin_with(&mut *taken, "BEGIN IMMEDIATE");
                let mut transaction = begun.await?;
                let $transaction = &mut *transaction;
                let done = $body;
                transaction.commit().await?;
                $store.was_there().await?;
                done
            }
            #[cfg(feature = "postgres")]
            $crate::db::Db::Postgres(pool) => {
                let _place = $store.connection().await?;
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

/// A connection of the pool, as soon as there is one.
pub(crate) async fn take<D: Database>(pool: &Pool<D>) -> Result<PoolConnection<D>, Error> {
    pool.acquire().await.map_err(|why| match why {
        // With room for one more connection, the wait was for the server.
        sqlx::Error::PoolTimedOut if !is_used_up(pool) => Error::Unavailable,
        why => why.into(),
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
    /// That of the two texts that this database understands.
    pub(crate) fn either(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite { .. } => sqlite,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => postgres,
        }
    }

    /// Give every connection back, but wait for none longer than `limit`.
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
            tracing::warn!("connections to the database were still in use at the end");
        }
    }
}
