//! Errors of the store, by what the caller can do about them.
use std::{error::Error as StdError, io};

use sqlx::{error::DatabaseError, sqlite::SqliteError};

use crate::{BadConfig, LockError, health};

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// Failure of an operation; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Locked, or every connection in use, for longer than `store.busy_timeout`.
    #[error("the database is busy; try again")]
    Busy,
    #[error("the disk is full; free some space")]
    Full,
    /// The reason is in the log.
    #[error("the database cannot be reached; check that it runs")]
    Unavailable,
    #[error("the store failed; see the log")]
    Internal(#[source] BoxError),
}

/// Reason why a message was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    #[error("there is no such conversation")]
    NoConversation,
    /// The same key was used with another content, sender, metadata or file.
    #[error("the key was used for another message; take a new one")]
    KeyReused,
    #[error(transparent)]
    Store(#[from] Error),
}

/// Reason why the store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Config(#[from] BadConfig),
    #[error("cannot create the folder {0}: {1}")]
    Folder(String, #[source] io::Error),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("cannot write to {0}: {1}")]
    Unwritable(String, #[source] io::Error),
    #[error("cannot open the database: {0}")]
    Open(#[source] BoxError),
    #[error("cannot migrate the database: {0}")]
    Migrate(#[source] BoxError),
    #[error("the schema of the database is old (pending migrations: {0}); run `quadrille migrate`")]
    Old(usize),
    #[error("the schema of the database belongs to a newer version; run that version")]
    New,
}

impl From<sqlx::Error> for OpenError {
    fn from(err: sqlx::Error) -> Self {
        Self::Open(err.into())
    }
}

/// Meaning of a database's error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Busy,
    Full,
    Unavailable,
    Internal,
}

impl Error {
    /// Logs the cause, so that every answer may refer to the log.
    pub(crate) fn internal(err: BoxError) -> Self {
        tracing::error!(error = %err, "the store failed");
        Self::Internal(err)
    }
}

impl From<sqlx::Error> for Error {
    fn from(err: sqlx::Error) -> Self {
        let verdict = match &err {
            sqlx::Error::PoolTimedOut => Verdict::Busy,
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Tls(_) => {
                Verdict::Unavailable
            }
            sqlx::Error::Io(err) if err.kind() == io::ErrorKind::StorageFull => Verdict::Full,
            sqlx::Error::Io(_) => Verdict::Unavailable,
            sqlx::Error::Database(err) => database(&**err),
            _ => Verdict::Internal,
        };
        match verdict {
            Verdict::Busy => Self::Busy,
            Verdict::Full => Self::Full,
            Verdict::Unavailable => {
                health::suspect();
                tracing::warn!(error = %err, "the database cannot be reached");
                Self::Unavailable
            }
            Verdict::Internal => Self::internal(err.into()),
        }
    }
}

/// Returns whether the file of the database is damaged: CORRUPT, NOTADB.
pub(crate) fn is_damage(err: &sqlx::Error) -> bool {
    let sqlx::Error::Database(err) = err else { return false };
    let code: i32 = err.code().unwrap_or_default().parse().unwrap_or_default();
    err.try_downcast_ref::<SqliteError>().is_some() && matches!(code & 0xff, 11 | 26)
}

fn database(err: &dyn DatabaseError) -> Verdict {
    let code = err.code().unwrap_or_default();
    if err.try_downcast_ref::<SqliteError>().is_some() {
        sqlite(code.parse().unwrap_or_default())
    } else {
        sqlstate(&code)
    }
}

/// Maps result codes of `SQLite`; the low byte is the primary one (sqlite.org/rescode.html).
fn sqlite(code: i32) -> Verdict {
    match code & 0xff {
        // BUSY, LOCKED.
        5 | 6 => Verdict::Busy,
        // FULL.
        13 => Verdict::Full,
        // READONLY, IOERR, CORRUPT, CANTOPEN, NOTADB.
        8 | 10 | 11 | 14 | 26 => Verdict::Unavailable,
        _ => Verdict::Internal,
    }
}

/// Maps SQLSTATE of `PostgreSQL` (postgresql.org/docs/current/errcodes-appendix.html).
fn sqlstate(code: &str) -> Verdict {
    match code {
        // Serialization failure, deadlock, too many connections, lock timeout, statement timeout.
        "40001" | "40P01" | "53300" | "55P03" | "57014" => Verdict::Busy,
        "53100" => Verdict::Full,
        // Read only, no such database, shutdown (57P01 to 57P03), system errors.
        "25006" | "3D000" | "57P01" | "57P02" | "57P03" | "58000" | "58030" => Verdict::Unavailable,
        // Connection exceptions.
        code if code.starts_with("08") => Verdict::Unavailable,
        _ => Verdict::Internal,
    }
}

#[cfg(test)]
mod tests {
    use e2e::scratch::Scratch;

    use super::*;
    use crate::{Config, NewMessage, Sender, Store, db::Db};

    #[tokio::test]
    async fn a_full_database_says_so_and_goes_on_when_there_is_room() {
        let home = Scratch::new();
        let url = format!("sqlite://{}/a.db", home.path().display());
        let store = Store::open(&Config { url, ..Config::default() }).await.unwrap();
        let conversation = store.create_conversation("ann", None).await.unwrap().id;
        let content = "words ".repeat(1000);
        let new = NewMessage {
            conversation,
            user: "ann",
            sender: Sender::User,
            content: &content,
            metadata: None,
            key: None,
            turn: None,
            files: &[],
        };
        let pages = async |most: &'static str| match store.db() {
            Db::Sqlite { writer, .. } => sqlx::query(most).execute(writer).await.unwrap(),
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => unreachable!("it was opened as a file"),
        };
        pages("PRAGMA max_page_count = 64").await;
        let mut stored = 0;
        let full = loop {
            match store.add_message(new).await {
                Ok(_) => stored += 1,
                Err(err) => break err,
            }
        };
        assert!(matches!(full, AddError::Store(Error::Full)), "{full:?}");
        assert_eq!(store.messages(conversation, None, 1000).await.unwrap().len(), stored);
        pages("PRAGMA max_page_count = 1000").await;
        assert!(store.add_message(new).await.unwrap().is_new);
    }

    #[test]
    fn codes_of_both_databases_say_what_can_be_done() {
        let [busy, full, gone, ours] =
            [Verdict::Busy, Verdict::Full, Verdict::Unavailable, Verdict::Internal];
        // BUSY_SNAPSHOT, LOCKED_SHAREDCACHE, FULL, IOERR_WRITE, CANTOPEN, CONSTRAINT_FOREIGNKEY.
        assert_eq!([517, 262, 13, 778, 14, 787].map(sqlite), [busy, busy, full, gone, gone, ours]);
        let states = ["55P03", "40P01", "53100", "08006", "57P01", "23503"].map(sqlstate);
        assert_eq!(states, [busy, busy, full, gone, gone, ours]);
    }
}
