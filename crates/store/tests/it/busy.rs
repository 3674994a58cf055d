//! A database that is locked, closed or gone says what can be done about it.
use std::time::Duration;

use quadrille_store::{AddError, Error};

use crate::bed::{Bed, message, with};

/// Somebody else who holds what a writer needs.
enum Holder {
    Sqlite(sqlx::SqliteConnection),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgConnection),
}

impl Holder {
    async fn lock(bed: &Bed) -> Self {
        use sqlx::{ConnectOptions, Executor, sqlite::SqliteConnectOptions};
        if let Some(path) = bed.path() {
            let options = SqliteConnectOptions::new().filename(path);
            let mut connection = options.connect().await.unwrap();
            connection.execute("BEGIN IMMEDIATE").await.unwrap();
            return Self::Sqlite(connection);
        }
        #[cfg(feature = "postgres")]
        {
            let options: sqlx::postgres::PgConnectOptions = bed.config.url.parse().unwrap();
            let mut connection = options.connect().await.unwrap();
            connection.execute("BEGIN; LOCK TABLE messages IN EXCLUSIVE MODE").await.unwrap();
            Self::Postgres(connection)
        }
        #[cfg(not(feature = "postgres"))]
        unreachable!("there is no other database in this build")
    }

    async fn release(self) {
        use sqlx::Executor;
        match self {
            Self::Sqlite(mut connection) => connection.execute("ROLLBACK").await.map(drop).unwrap(),
            #[cfg(feature = "postgres")]
            Self::Postgres(mut connection) => {
                connection.execute("ROLLBACK").await.map(drop).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_lock_that_lasts_too_long_is_busy_and_later_it_goes_on() {
    with(
        // Long enough for a connection on a busy machine.
        |config| config.busy_timeout = Duration::from_secs(2),
        async |bed| {
            let id = bed.conversation("ann").await.id;
            bed.say(id, "ann", "before").await;
            let holder = Holder::lock(bed).await;
            let refused = bed.store.add_message(message(id, "ann", "refused")).await;
            assert!(matches!(refused, Err(AddError::Store(Error::Busy))), "{refused:?}");
            // Readers do not wait for writers.
            assert_eq!(bed.contents(id).await, ["before"]);
            holder.release().await;
            bed.say(id, "ann", "after").await;
            assert_eq!(bed.contents(id).await, ["before", "after"]);
        },
    )
    .await;
}

#[tokio::test]
async fn a_lock_that_ends_in_time_is_waited_for() {
    with(
        |_| {},
        async |bed| {
            let id = bed.conversation("ann").await.id;
            let holder = Holder::lock(bed).await;
            let waiting = bed.store.add_message(message(id, "ann", "hello"));
            let released = async {
                // Readers are still answered, so it is the lock that is waited for.
                assert_eq!(bed.contents(id).await, Vec::<String>::new());
                holder.release().await;
            };
            let (added, ()) = tokio::join!(waiting, released);
            assert!(added.unwrap().is_new);
        },
    )
    .await;
}

#[tokio::test]
async fn a_write_that_is_given_up_leaves_nothing_and_frees_the_database() {
    with(
        |_| {},
        async |bed| {
            let id = bed.conversation("ann").await.id;
            let holder = Holder::lock(bed).await;
            for _ in 0..20 {
                let abandoned_step = bed.store.add_message(message(id, "ann", "given up"));
                let limit = Duration::from_millis(5);
                assert!(tokio::time::timeout(limit, abandoned_step).await.is_err());
            }
            holder.release().await;
            bed.say(id, "ann", "hello").await;
            assert_eq!(bed.contents(id).await, ["hello"]);
        },
    )
    .await;
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    with(
        |_| {},
        async |bed| {
            bed.store.close().await;
            let refused = bed.store.user_name("ann").await;
            assert!(matches!(refused, Err(Error::Unavailable)), "{refused:?}");
        },
    )
    .await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_database_that_was_dropped_is_unavailable() {
    with(
        |_| {},
        async |bed| {
            if bed.path().is_some() {
                return;
            }
            bed.say(bed.conversation("ann").await.id, "ann", "hello").await;
            let (server, name) = bed.config.url.rsplit_once('/').unwrap();
            let admin = format!("{server}/postgres");
            let mut admin =
                <sqlx::PgConnection as sqlx::Connection>::connect(&admin).await.unwrap();
            let drop = sqlx::AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
            sqlx::Executor::execute(&mut admin, drop).await.unwrap();
            let refused = bed.store.user_name("ann").await;
            assert!(matches!(refused, Err(Error::Unavailable)), "{refused:?}");
        },
    )
    .await;
}
