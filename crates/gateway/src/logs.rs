//! Logging to standard error, as text for people or as JSON for programs.
use std::io::{self, IsTerminal};

use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::FilterExt, layer::SubscriberExt, reload,
    util::SubscriberInitExt,
};

use crate::{
    config::{LogConfig, LogFormat},
    log_throttle::LogThrottle,
};

/// Filter and throttle of the log.
#[derive(Debug)]
pub(crate) struct LogControl {
    filter: reload::Handle<EnvFilter, Registry>,
    pub(crate) throttle: LogThrottle,
}

/// Starts logging. Called once.
pub(crate) fn init(log: &LogConfig) -> LogControl {
    let (filter, handle) = reload::Layer::new(EnvFilter::new(&log.level));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let lines = match log.format {
        LogFormat::Pretty => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let throttle = LogThrottle::default();
    let filter = filter.and(throttle.clone());
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    LogControl { filter: handle, throttle }
}

impl LogControl {
    /// Changes the filter to `to`, and calls `report` on the side of the change on which `info` is
    /// logged.
    pub(crate) fn change(&self, to: &str, report: impl FnOnce()) {
        let change = || {
            let changed = self.filter.reload(EnvFilter::new(to));
            // Fails if there is no log any more.
            changed.ok();
        };
        if tracing::enabled!(tracing::Level::INFO) {
            report();
            change();
        } else {
            change();
            report();
        }
    }
}
