//! SIGHUP: the configuration is read again, and what can change while clients are connected does.
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

/// How long the files may take to be read. One that takes longer, such as a pipe that nobody writes to,
/// fails this reload and holds up nothing else, not even the next.
const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// Where the configuration comes from: the same at every reading.
#[derive(Clone, Debug)]
pub(crate) struct ConfigSource {
    pub(crate) file: Option<PathBuf>,
    pub(crate) environment: Vec<(String, String)>,
}

/// What a reload needs and changes.
#[derive(Debug)]
pub(crate) struct Reload {
    pub(crate) source: ConfigSource,
    /// In effect, whatever the file says by now.
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
    /// Reload at every signal, until the process stops.
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

    /// Everything, or nothing and why.
    async fn reload(&mut self) -> Result<(), config::Error> {
        let (source, certificates) = (self.source.clone(), self.certificates.clone());
        let read = in_time(tokio::task::spawn_blocking(move || {
            let (wanted, sources) = source.load()?;
            // Also what needs a restart: better known now than then.
            check::check(&wanted, &sources)?;
            let renewed = certificates.as_ref().map(Certificates::read).transpose();
            let renewed = renewed.map_err(|err| sources.invalid(err.key(), err.expected()))?;
            Ok::<_, config::Error>((wanted, sources, renewed))
        }));
        let read = read.await?.map_err(|err| config::Error::of_reading(&err.to_string()))?;
        let (wanted, sources, renewed) = read?;
        let changes = self.running.changes(&wanted);
        let Core { auth, hub, quotas, sessions, shares, life, .. } = &self.core;
        // Keys of another mode are no use in this one.
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

/// What `reading` gives, unless it takes too long.
async fn in_time<T>(reading: impl Future<Output = T>) -> Result<T, config::Error> {
    tokio::time::timeout(READ_TIMEOUT, reading).await.map_err(|_| {
        let seconds = READ_TIMEOUT.as_secs();
        config::Error::of_reading(&format!("a file was not there to read after {seconds} s"))
    })
}
