//! What an operation refuses, as clients are told.
use quadrille_tabular::{BadArguments, Error as TabularError, Unreadable};

use super::super::error::Error;
use crate::engine::is_full;

impl From<BadArguments> for Error {
    fn from(why: BadArguments) -> Self {
        Self::Invalid(why.to_string())
    }
}

impl From<TabularError> for Error {
    fn from(why: TabularError) -> Self {
        match &why {
            TabularError::Write { source, .. } if is_full(source) => return Self::DiskFull,
            TabularError::Write { source, .. }
            | TabularError::Unreadable(Unreadable::Io { source, .. }) => {
                tracing::error!(error = %source, "a file of a request was not read or written");
                return Self::Server;
            }
            // Nobody waits for the answer.
            TabularError::Cancelled { .. } => return Self::Server,
            _ => {}
        }
        let advice = why.advice().map(|it| format!(" ({it})")).unwrap_or_default();
        let told = format!("{why}{advice}");
        match why {
            TabularError::Columns { .. } | TabularError::Refused(_) => Self::Invalid(told),
            _ => Self::BadFile(told),
        }
    }
}

/// The folder of the request failed.
impl From<std::io::Error> for Error {
    fn from(why: std::io::Error) -> Self {
        if is_full(&why) {
            return Self::DiskFull;
        }
        tracing::error!(error = %why, "a file of a request was not put where it is worked on");
        Self::Server
    }
}
