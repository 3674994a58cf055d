//! Reload at SIGHUP: reads the configuration again, and applies what can change while clients are
//! connected.
use std::{path::PathBuf, time::Duration};

use quadrille_core::telemetry;
use quadrille_edge::Core;
use tokio::signal::unix::Signal;

use crate::{
    app::check,
    config::{self, Config, Sources},
    file_limit,
    listen::{limit::ConnectionLimit, tls::Certificates},
    logs::LogControl,
};

/// Time for reading the files. A slower one, such as a pipe without a writer, fails this reload and
/// blocks nothing else, not even the next.
const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// File and environment of the configuration, the same at every reload.
#[derive(Clone, Debug)]
pub(crate) struct ConfigSource {
    pub(crate) file: Option<PathBuf>,
    pub(crate) environment: Vec<(String, String)>,
}

/// State that a reload reads and changes.
#[derive(Debug)]
pub(crate) struct Reload {
    pub(crate) source: ConfigSource,
    /// In effect now.
    pub(crate) running: Config,
    pub(crate) core: Core,
    pub(crate) certificates: Option<Certificates>,
    pub(crate) limit: ConnectionLimit,
    pub(crate) level: LogControl,
}

// === impl ConfigSource ===

impl ConfigSource {
    pub(crate) fn load(&self) -> Result<(Config, Sources), config::Error> {
        Config::load(self.file.as_deref(), &self.environment)
    }
}

// === impl Reload ===

impl Reload {
    /// Reloads at every signal, until the process stops.
    pub(crate) async fn run(mut self, mut hangup: Signal) {
        let life = self.core.life.clone();
        let reloads = async {
            while hangup.recv().await.is_some() {
                if let Err(err) = self.reload().await {
                    telemetry::config_reloaded(Err(&err));
                }
            }
        };
        tokio::select! {
            () = life.draining() => {}
            () = reloads => {}
        }
    }

    /// Applies everything, or fails and changes nothing.
    async fn reload(&mut self) -> Result<(), config::Error> {
        let (source, certificates) = (self.source.clone(), self.certificates.clone());
        let read = in_time(tokio::task::spawn_blocking(move || {
            let (wanted, sources) = source.load()?;
            // Checks also the keys that need a restart: better now than then.
            check::check(&wanted, &sources)?;
            let renewed = certificates.as_ref().map(Certificates::read).transpose();
            let renewed = renewed.map_err(|err| sources.invalid(err.key(), err.expected()))?;
            Ok::<_, config::Error>((wanted, sources, renewed))
        }));
        let read = read.await?.map_err(|err| config::Error::of_reading(&err.to_string()))?;
        let (wanted, sources, renewed) = read?;
        let changes = self.running.changes(&wanted);
        let Core { auth, hub, quotas, sessions, shares, life, .. } = &self.core;
        // Keys of another mode would be unused.
        if wanted.auth.mode == self.running.auth.mode {
            let reloaded = in_time(auth.reload(wanted.auth.settings(), life)).await?;
            reloaded.map_err(|err| sources.invalid(err.key(), err.expected()))?;
        }
        hub.reload(&wanted.limits);
        sessions.reload(&wanted.limits);
        quotas.reload(&wanted.limits);
        shares.reload(&wanted.limits);
        self.limit.reload(&wanted.limits);
        if file_limit::needed(&wanted.limits) > file_limit::needed(&self.running.limits) {
            file_limit::raise(&wanted.limits);
        }
        if let (Some(certificates), Some(renewed)) = (&self.certificates, renewed) {
            certificates.show(renewed);
        }
        self.level.change(&wanted.log.level, || {
            telemetry::config_reloaded(Ok(&changes.applied));
            if !changes.pending.is_empty() {
                let keys = changes.pending.join(", ");
                tracing::warn!(keys, "changed in the configuration; restart to apply");
            }
        });
        self.running.apply(wanted);
        Ok(())
    }
}

/// Awaits `reading` for at most [`READ_TIMEOUT`].
async fn in_time<T>(reading: impl Future<Output = T>) -> Result<T, config::Error> {
    tokio::time::timeout(READ_TIMEOUT, reading).await.map_err(|_| {
        let seconds = READ_TIMEOUT.as_secs();
        config::Error::of_reading(&format!("a file could not be read within {seconds} s"))
    })
}
