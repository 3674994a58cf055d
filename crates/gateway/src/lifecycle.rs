//! Lifecycle of the process, as types: a built gateway listens but does not serve, serving ends in a
//! drain, and a drain has to be finished.
use std::{process::ExitCode, time::Duration};

use axum::Router;
use quadrille_core::Life;
use quadrille_edge::Core;
use tokio::{signal::unix::Signal, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{self, BackgroundWork, routes, storage::Persistence},
    base_path::BasePath,
    config::{Config, Sources},
    edge::Edge,
    exit_code::UNFINISHED,
    file_limit,
    listen::{accept::Acceptor, limit::ConnectionLimit, listener::Listener, tls::Certificates},
    logs::LogControl,
    metrics, ops,
    reload::{ConfigSource, Reload},
    route::Route,
    signals::{self, Signals},
    start_error::StartError,
    startup,
    traces::Traces,
};

/// Listening, but not serving yet.
#[derive(Debug)]
pub(crate) struct Gateway {
    config: Config,
    core: Core,
    app: Router,
    routes: Vec<Route>,
    work: BackgroundWork,
    storage: Persistence,
    listeners: Vec<Listener>,
    certificates: Option<Certificates>,
    hangup: Signal,
    leaving: CancellationToken,
    traces: Traces,
}

/// Shutdown after a signal, in order.
#[derive(Debug)]
pub(crate) struct Drain {
    core: Core,
    work: BackgroundWork,
    storage: Persistence,
    signals: Signals,
    /// Turns `/readyz` to 503.
    leaving: CancellationToken,
    /// Ends the listeners.
    closing: CancellationToken,
    delay: Duration,
    window: Duration,
    traces: Traces,
}

// === impl Gateway ===

impl Gateway {
    pub(crate) async fn build(config: Config, sources: &Sources) -> Result<Self, StartError> {
        let other = |err: Box<dyn std::error::Error>| StartError::Other(err);
        let life = Life::new();
        let exporter = metrics::install(&life).map_err(|err| other(err.into()))?;
        let hangup = signals::hangup().map_err(|err| other(err.into()))?;
        let core = app::core(&config, sources, life)?;
        let protocols = app::compose(&core, &config, sources)?;
        let certificates = app::certificates(&config, sources)?;
        let listeners = config.server.listen.iter().map(Listener::bind);
        let listeners = listeners.collect::<Result<_, _>>()?;
        // Last: if the address is taken, the database may be in use as well.
        let storage = Persistence::open(&config, &core).await?;
        storage.settle(&core).await;
        let protocols = protocols.with_storage(&storage, &core, &config)?;
        let (mut routes, work) = (protocols.routes, protocols.work);
        routes.extend(routes::of_api());
        let leaving = CancellationToken::new();
        let watched = storage.clone();
        let fault = move || watched.fault();
        let operations =
            ops::router(exporter, core.shares.clone(), leaving.clone(), fault, &routes);
        let app = app::join(&core, operations, (protocols.router, protocols.described));
        let traces = Traces::start(&config, sources)?;
        let app = traces.layer(app);
        file_limit::raise(&config.limits);
        Ok(Self {
            config,
            core,
            app,
            routes,
            work,
            storage,
            listeners,
            certificates,
            hangup,
            leaving,
            traces,
        })
    }

    /// Renders the startup lines.
    pub(crate) fn ready(&self, took: Duration) -> String {
        let addresses: Vec<_> = self.listeners.iter().map(Listener::address).collect();
        startup::lines(&addresses, &self.config.server, self.config.auth.mode, &self.routes, took)
    }

    /// Serves until a signal comes; reloads the configuration at SIGHUP.
    pub(crate) async fn serve(
        self,
        source: ConfigSource,
        level: LogControl,
        mut signals: Signals,
    ) -> Result<Drain, StartError> {
        let Self {
            config,
            core,
            app,
            routes: _,
            work,
            storage,
            listeners,
            certificates,
            hangup,
            leaving,
            traces,
        } = self;
        let closing = CancellationToken::new();
        let tls = certificates.as_ref().map(Certificates::server).transpose();
        let tls = tls.map_err(|err| StartError::Other(err.into()))?;
        let limit = ConnectionLimit::new(&core, &config.limits);
        let below = BasePath::new(&config, routes::paths(&config));
        let acceptor = Acceptor::new(
            Edge::new(app, below, &config),
            limit.clone(),
            tls,
            (config.server.header_timeout, config.server.idle_timeout),
            core.life.clone(),
            closing.clone(),
        );
        core.auth.start(&core.life);
        core.quotas.start(&core.life);
        storage.start(&config, &core.life);
        core.life.spawn("log throttle", level.throttle.clone().report(core.life.clone()));
        for listener in listeners {
            tracing::info!(address = %listener.address(), "listening");
            core.life.spawn("accept", acceptor.clone().run(listener));
        }
        let (delay, window) = (config.server.drain_delay, config.server.drain_window);
        let core_too = core.clone();
        let reload = Reload { source, running: config, core: core_too, certificates, limit, level };
        core.life.spawn("reload", reload.run(hangup));
        let signal = signals.next().await;
        tracing::info!(signal, connections = core.sessions.count(), "draining");
        Ok(Drain { core, work, storage, signals, leaving, closing, delay, window, traces })
    }
}

// === impl Drain ===

impl Drain {
    /// Waits for balancers to notice, stops accepting, closes the connections, and waits for the rest,
    /// for at most `grace`. A second signal ends it at once.
    pub(crate) async fn finish(self, grace: Duration) -> ExitCode {
        let Self { core, work, storage, mut signals, leaving, closing, delay, window, traces } =
            self;
        let stop = Instant::now() + delay + window + grace;
        let end = async {
            leaving.cancel();
            tokio::time::sleep(delay).await;
            // Before the listeners, so that refused clients see the shutdown as the reason.
            core.life.close();
            closing.cancel();
            // Background work may go on for a while, but keeps time to publish its end.
            tokio::join!(core.sessions.drain(window), work.drain(grace.mul_f32(0.8)));
            // Time that turns took is not granted again: operators rely on the sum.
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
            storage.close().await;
            traces.finish().await;
        };
        let closed = tokio::time::timeout_at(stop, close).await.is_ok();
        if finished {
            if !closed {
                tracing::warn!("server.grace was over before the database was closed");
            }
            tracing::info!("stopped");
            return ExitCode::SUCCESS;
        }
        UNFINISHED.into()
    }
}

/// Part of the grace period that is reserved for closing the database.
fn closes_within(grace: Duration) -> Duration {
    (grace / 10).min(Duration::from_secs(1))
}

fn unfinished(core: &Core) {
    let connections = core.sessions.count();
    tracing::error!(connections, "stopped with work unfinished");
}
