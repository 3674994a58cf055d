//! Errors of operations, as refusals.
use quadrille_tabular::{BadArguments, Error as TabularError, Unreadable};

use super::super::error::Error;
use crate::engine::is_full;

impl From<BadArguments> for Error {
    fn from(err: BadArguments) -> Self {
        Self::Invalid(err.to_string())
    }
}

impl From<TabularError> for Error {
    fn from(err: TabularError) -> Self {
        match &err {
            TabularError::Write { source, .. } if is_full(source) => return Self::DiskFull,
            TabularError::Write { source, .. }
            | TabularError::Unreadable(Unreadable::Io { source, .. }) => {
                tracing::error!(error = %source, "cannot read or write a file of a request");
                return Self::Server;
            }
            // The client has gone.
            TabularError::Cancelled { .. } => return Self::Server,
            _ => {}
        }
        let advice = err.advice().map(|advice| format!(" ({advice})")).unwrap_or_default();
        let message = format!("{err}{advice}");
        match err {
            TabularError::Columns { .. } | TabularError::Refused(_) => Self::Invalid(message),
            _ => Self::BadFile(message),
        }
    }
}
