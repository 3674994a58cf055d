//! The life of the process, as types: what is built has listeners but no traffic, what is served
//! ends in a drain, and a drain has to be finished.
use std::{net::SocketAddr, process::ExitCode, time::Duration};

use axum::Router;
use quadrille_core::{Core, Life};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    accept::Acceptor,
    app::{self, Door},
    cli::USAGE,
    config::{self, Config, Sources},
    doors, listen, metrics, ops, ready,
    signals::Signals,
};

/// Files that the process needs besides those of connections.
const OWN_FILES: usize = 64;

/// Stopped, but not every connection was closed.
const UNFINISHED: u8 = 2;

/// Listening, but not serving yet.
#[derive(Debug)]
pub(crate) struct Gateway {
    config: Config,
    core: Core,
    app: Router,
    doors: Vec<Door>,
    listeners: Vec<(TcpListener, SocketAddr)>,
    signals: Signals,
    leaving: CancellationToken,
}

/// A signal came: everything has to end, in order.
#[derive(Debug)]
pub(crate) struct Drain {
    core: Core,
    signals: Signals,
    /// Turns `/readyz` to 503.
    leaving: CancellationToken,
    /// Ends the listeners.
    closing: CancellationToken,
    delay: Duration,
    window: Duration,
}

/// Why there is nothing to serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Listen(#[from] listen::Unavailable),
    #[error("cannot start: {0}")]
    Other(#[source] Box<dyn std::error::Error>),
}

impl StartError {
    /// Tell it, in one line, and give the exit code.
    #[expect(clippy::print_stderr, reason = "there may be no log yet")]
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("quadrille: {self}");
        match self {
            Self::Config(_) => USAGE.into(),
            Self::Listen(_) | Self::Other(_) => ExitCode::FAILURE,
        }
    }
}

// === impl Gateway ===

impl Gateway {
    pub(crate) fn build(config: Config, sources: &Sources) -> Result<Self, StartError> {
        let other = |why: Box<dyn std::error::Error>| StartError::Other(why);
        let life = Life::new();
        let exporter = metrics::install(&life).map_err(|why| other(why.into()))?;
        let signals = Signals::new().map_err(|why| other(why.into()))?;
        let core = app::core(&config, sources, life)?;
        let (protocols, mut doors) = app::compose(&core, &config, sources)?;
        doors.extend(doors::listed());
        let leaving = CancellationToken::new();
        let (operations, described) = ops::router(exporter, leaving.clone(), &doors);
        let app = operations.merge(protocols).merge(doors::router(&core, described));
        let mut listeners = Vec::new();
        for &address in &config.server.listen {
            let listener = listen::bind(address)?;
            let address = listener.local_addr().map_err(|why| other(why.into()))?;
            listeners.push((listener, address));
        }
        raise_file_limit(config.limits.connections);
        Ok(Self { config, core, app, doors, listeners, signals, leaving })
    }

    /// What to say to whoever started it.
    pub(crate) fn ready(&self, took: Duration) -> String {
        let addresses: Vec<_> = self.listeners.iter().map(|(_, address)| *address).collect();
        ready::lines(&addresses, self.config.auth.mode, &self.doors, took)
    }

    /// Serve until a signal comes.
    pub(crate) async fn serve(self) -> Drain {
        let Self { config, core, app, listeners, mut signals, leaving, .. } = self;
        let closing = CancellationToken::new();
        let timeout = config.server.header_timeout;
        let acceptor = Acceptor::new(app, timeout, core.life.clone(), closing.clone());
        core.auth.start(&core.life);
        for (listener, address) in listeners {
            tracing::info!(%address, "listening");
            core.life.spawn("accept", acceptor.clone().run(listener));
        }
        let signal = signals.next().await;
        tracing::info!(signal, connections = core.sessions.count(), "draining");
        let (delay, window) = (config.server.drain_delay, config.server.drain_window);
        Drain { core, signals, leaving, closing, delay, window }
    }
}

// === impl Drain ===

impl Drain {
    /// Let the balancers notice, take nothing new, close the connections there are, and wait for
    /// everything else, for at most `grace`. A second signal ends it at once.
    pub(crate) async fn finish(self, grace: Duration) -> ExitCode {
        let Self { core, mut signals, leaving, closing, delay, window } = self;
        let end = async {
            leaving.cancel();
            tokio::time::sleep(delay).await;
            closing.cancel();
            core.sessions.drain(window).await;
            core.life.stopped(grace).await
        };
        let finished = tokio::select! {
            finished = end => finished,
            _ = signals.next() => false,
        };
        if finished {
            tracing::info!("stopped");
            return ExitCode::SUCCESS;
        }
        let connections = core.sessions.count();
        tracing::warn!(connections, "stopped before every connection was closed");
        UNFINISHED.into()
    }
}

/// Every connection is an open file, and the usual soft limit is 1024.
fn raise_file_limit(connections: usize) {
    let wanted = u64::try_from(connections.saturating_add(OWN_FILES)).unwrap_or(u64::MAX);
    let raised = rlimit::Resource::NOFILE
        .get()
        .and_then(|(_, hard)| rlimit::Resource::NOFILE.set(hard, hard).map(|()| hard));
    match raised {
        Ok(files) if files >= wanted => {}
        Ok(files) => tracing::warn!(
            files,
            connections,
            "fewer files may be open than limits.connections needs; raise the hard limit of open \
             files (ulimit -Hn, LimitNOFILE), or lower limits.connections"
        ),
        Err(why) => tracing::warn!(error = %why, "cannot raise the limit of open files"),
    }
}
