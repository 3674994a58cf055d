//! Where the log goes: standard error, as text for people or as JSON for programs.
use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::config::{Format, Log};

/// From here on everything that is logged is seen. Called once.
pub(crate) fn init(log: &Log) {
    let filter = EnvFilter::new(&log.level);
    let subscriber = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(filter);
    match log.format {
        Format::Pretty => subscriber.init(),
        Format::Json => subscriber.json().flatten_event(true).init(),
    }
}
