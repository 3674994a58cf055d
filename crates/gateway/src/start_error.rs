//! Errors that keep the process from serving, and their exit codes.
use std::process::ExitCode;

use crate::{config, exit_code::USAGE, listen::listener::ListenError};

/// The process cannot serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The storage cannot be opened or migrated.
    #[error("{key}: {err}")]
    Storage { key: &'static str, err: Box<dyn std::error::Error> },
    #[error("cannot start: {0}")]
    Other(#[source] Box<dyn std::error::Error>),
}

impl StartError {
    /// Prints the error in one line, and returns the exit code.
    #[expect(clippy::print_stderr, reason = "there may be no log yet")]
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("quadrille: {self}");
        match self {
            Self::Config(_) => USAGE.into(),
            Self::Listen(_) | Self::Storage { .. } | Self::Other(_) => ExitCode::FAILURE,
        }
    }
}
