//! Why the store did not do it, by what the caller can do about it.
use crate::BadConfig;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Locked, or every connection in use, for longer than `store.busy_timeout`.
    #[error("the database is busy; try again")]
    Busy,
    #[error("the disk of the database is full; make room")]
    Full,
    #[error("the database cannot be reached; see whether it runs")]
    Unavailable,
    #[error("the database refused a statement; see the log")]
    Internal(#[source] Source),
}

/// Why a message was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    #[error("there is no such conversation")]
    NoConversation,
    /// The same key was used with another content.
    #[error("the key was used for another message; take a new one")]
    KeyReused,
    #[error(transparent)]
    Store(#[from] Error),
}

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Config(#[from] BadConfig),
    #[error("cannot make the folder {0}: {1}")]
    Folder(String, #[source] std::io::Error),
    #[error("cannot open the database: {0}")]
    Open(#[source] Source),
    #[error("cannot migrate the database: {0}")]
    Migrate(#[source] Source),
    #[error("the schema of the database is too old by {0}; run `quadrille migrate`")]
    Old(usize),
    #[error("the database is that of a newer version; run that, or restore a backup")]
    New,
}
