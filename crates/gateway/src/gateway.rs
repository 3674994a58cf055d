//! The life of the process, as types: what is built has listeners but no traffic, what is served
//! ends in a drain, and a drain has to be finished.
use std::{process::ExitCode, time::Duration};

use axum::Router;
use quadrille_core::{Life, Limits};
use quadrille_edge::Core;
use tokio::{signal::unix::Signal, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    accept::Acceptor,
    app::{self, Door, Kept, Protocols, Work},
    below::Below,
    cli::USAGE,
    config::{self, Config, Sources},
    edge::Edge,
    listen::{self, Listener},
    logs::Level,
    metrics, ops,
    places::Places,
    ready,
    reload::{Origin, Reload},
    signals::{self, Signals},
    tls::Certificates,
    traces::Traces,
};

/// Files that the process needs besides those of connections.
const OWN_FILES: usize = 64;

/// Stopped, but something had not come to its end: a connection, a task or a thread.
pub(crate) const UNFINISHED: u8 = 2;

/// Listening, but not serving yet.
#[derive(Debug)]
pub(crate) struct Gateway {
    config: Config,
    core: Core,
    app: Router,
    doors: Vec<Door>,
    work: Work,
    kept: Kept,
    listeners: Vec<Listener>,
    certificates: Option<Certificates>,
    hangup: Signal,
    leaving: CancellationToken,
    traces: Traces,
}

/// A signal came: everything has to end, in order.
#[derive(Debug)]
pub(crate) struct Drain {
    core: Core,
    work: Work,
    kept: Kept,
    signals: Signals,
    /// Turns `/readyz` to 503.
    leaving: CancellationToken,
    /// Ends the listeners.
    closing: CancellationToken,
    delay: Duration,
    window: Duration,
    traces: Traces,
}

/// Why there is nothing to serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Listen(#[from] listen::Unavailable),
    /// What is kept cannot be opened, or not be migrated.
    #[error("{key}: {why}")]
    Kept { key: &'static str, why: Box<dyn std::error::Error> },
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
            Self::Listen(_) | Self::Kept { .. } | Self::Other(_) => ExitCode::FAILURE,
        }
    }
}

// === impl Gateway ===

impl Gateway {
    pub(crate) async fn build(config: Config, sources: &Sources) -> Result<Self, StartError> {
        let other = |why: Box<dyn std::error::Error>| StartError::Other(why);
        let life = Life::new();
        let exporter = metrics::install(&life).map_err(|why| other(why.into()))?;
        let hangup = signals::hangup().map_err(|why| other(why.into()))?;
        let core = app::core(&config, sources, life)?;
        let protocols = app::compose(&core, &config, sources)?;
        let certificates = app::certificates(&config, sources)?;
        let listeners = config.server.listen.iter().map(Listener::bind);
        let listeners = listeners.collect::<Result<_, _>>()?;
        // Last: where the address is taken, the database may be in use as well.
        let kept = Kept::open(&config, &core).await?;
        let Protocols { router, mut doors, described, work, .. } =
            protocols.with_storage(&kept, &core, &config)?;
        doors.extend(app::listed());
        let leaving = CancellationToken::new();
        let looked_after = kept.clone();
        let fault = move || looked_after.fault();
        let operations = ops::router(exporter, core.shares.clone(), leaving.clone(), fault, &doors);
        let app = app::whole(&core, operations, (router, described));
        let traces = Traces::start(&config, sources)?;
        let app = traces.layer(app);
        raise_file_limit(&config.limits);
        Ok(Self {
            config,
            core,
            app,
            doors,
            work,
            kept,
            listeners,
            certificates,
            hangup,
            leaving,
            traces,
        })
    }

    /// What to say to whoever started it.
    pub(crate) fn ready(&self, took: Duration) -> String {
        let addresses: Vec<_> = self.listeners.iter().map(Listener::address).collect();
        ready::lines(&addresses, &self.config.server, self.config.auth.mode, &self.doors, took)
    }

    /// Serve until a signal comes, and read the configuration again at SIGHUP.
    pub(crate) async fn serve(
        self,
        origin: Origin,
        level: Level,
        mut signals: Signals,
    ) -> Result<Drain, StartError> {
        let Self {
            config,
            core,
            app,
            doors: _,
            work,
            kept,
            listeners,
            certificates,
            hangup,
            leaving,
            traces,
        } = self;
        let closing = CancellationToken::new();
        let tls = certificates.as_ref().map(Certificates::server).transpose();
        let tls = tls.map_err(|why| StartError::Other(why.into()))?;
        let places = Places::new(&core, &config.limits);
        let below = Below::new(&config, app::paths(&config));
        let acceptor = Acceptor::new(
            Edge::new(app, below, &config),
            places.clone(),
            tls,
            (config.server.header_timeout, config.server.idle_timeout),
            core.life.clone(),
            closing.clone(),
        );
        core.auth.start(&core.life);
        core.quotas.start(&core.life);
        kept.start(&core.life);
        core.life.spawn("repeats", level.repeats.clone().tell(core.life.clone()));
        for listener in listeners {
            tracing::info!(address = %listener.address(), "listening");
            core.life.spawn("accept", acceptor.clone().run(listener));
        }
        let (delay, window) = (config.server.drain_delay, config.server.drain_window);
        let core_too = core.clone();
        let reload =
            Reload { origin, running: config, core: core_too, certificates, places, level };
        core.life.spawn("reload", reload.run(hangup));
        let signal = signals.next().await;
        tracing::info!(signal, connections = core.sessions.count(), "draining");
        Ok(Drain { core, work, kept, signals, leaving, closing, delay, window, traces })
    }
}

// === impl Drain ===

impl Drain {
    /// Let the balancers notice, take nothing new, close the connections there are, and wait for
    /// everything else, for at most `grace`, whatever threads still do then. A second signal ends it
    /// at once.
    pub(crate) async fn finish(self, grace: Duration) -> ExitCode {
        let Self { core, work, kept, mut signals, leaving, closing, delay, window, traces } = self;
        let stop = Instant::now() + delay + window + grace;
        let end = async {
            leaving.cancel();
            tokio::time::sleep(delay).await;
            // Before the listeners: who is not let in any more knows that it is so.
            core.life.close();
            closing.cancel();
            // What works without a connection may go on for a while, but must be able to tell its end.
            tokio::join!(core.sessions.drain(window), work.drain(grace.mul_f32(0.8)));
            // What turns took of the time is not given again: whoever waits counts on the sum.
            let left = stop.saturating_duration_since(Instant::now() + closes_within(grace));
            core.life.stopped(left.min(grace)).await
        };
        let finished = tokio::select! {
            finished = end => finished,
            _ = signals.next() => {
                unfinished(&core);
                return UNFINISHED.into();
            }
        };
        if !finished {
            unfinished(&core);
        }
        let close = async {
            kept.close().await;
            traces.finish().await;
        };
        let closed = tokio::time::timeout_at(stop, close).await.is_ok();
        if finished {
            if !closed {
                tracing::warn!("the time was over before the database was closed");
            }
            tracing::info!("stopped");
            return ExitCode::SUCCESS;
        }
        UNFINISHED.into()
    }
}

/// The part of the time to stop that is kept for closing the database.
fn closes_within(grace: Duration) -> Duration {
    (grace / 10).min(Duration::from_secs(1))
}

fn unfinished(core: &Core) {
    let connections = core.sessions.count();
    tracing::error!(connections, "stopped before everything had come to its end");
}

/// Every connection is an open file, and the usual soft limit is 1024.
pub(crate) fn raise_file_limit(limits: &Limits) {
    let wanted = u64::try_from(files(limits)).unwrap_or(u64::MAX);
    let raised = rlimit::Resource::NOFILE
        .get()
        .and_then(|(_, hard)| rlimit::Resource::NOFILE.set(hard, hard).map(|()| hard));
    match raised {
        Ok(files) if files >= wanted => {}
        Ok(files) => tracing::warn!(
            files,
            wanted,
            "fewer files may be open than limits.connections and limits.http_connections need; \
             raise the hard limit of open files (ulimit -Hn, LimitNOFILE), or lower them"
        ),
        Err(why) => tracing::warn!(error = %why, "cannot raise the limit of open files"),
    }
}

/// As many files as may be open with these limits.
pub(crate) fn files(limits: &Limits) -> usize {
    limits.connections.saturating_add(limits.http_connections).saturating_add(OWN_FILES)
}
