//! The gateway: one binary, several protocols, one core. A library only so that fuzz targets can
//! reach its parsers.
mod accept;
mod app;
mod below;
mod cli;
mod config;
mod cors;
mod edge;
mod full;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod gateway;
mod half;
mod head;
mod host;
mod leftover;
mod linger;
mod listen;
mod logs;
mod metrics;
mod openapi;
mod ops;
mod places;
mod proxies;
mod purpose;
mod ready;
mod reload;
mod repeats;
mod signals;
mod socket;
mod stall;
mod tls;
mod token;
mod traces;
mod unix;
mod watchdog;

use std::{ffi::OsString, io, process::ExitCode, time::Instant};

use tokio::runtime::Builder;

use crate::{
    cli::{Cli, Command},
    config::{Config, Server},
    gateway::{Gateway, StartError},
    reload::Origin,
    signals::Signals,
};

/// The whole program, from its arguments to its exit code.
pub fn main() -> ExitCode {
    let begin = Instant::now();
    quadrille_identity::install_crypto();
    let text = |it: OsString| it.to_string_lossy().into_owned();
    let environment: Vec<_> =
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return StartError::Other(why.into()).report(),
    };
    let ended = runtime.block_on(run(cli, environment, begin));
    // What threads still do is not waited for: whoever stops has done so, as long as there was time.
    runtime.shutdown_background();
    ended.unwrap_or_else(|why| why.report())
}

async fn run(
    cli: Cli,
    environment: Vec<(String, String)>,
    begin: Instant,
) -> Result<ExitCode, StartError> {
    if let Some(Command::PrintConfig { default: true }) = cli.command {
        return Ok(cli::print(&Config::reference()));
    }
    let origin = Origin { file: cli.config, environment };
    let (config, sources) = origin.load()?;
    // What is said in confidence is for the owner of the process alone, in whatever folder it is
    // kept. A socket gets its mode when it is made.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    match cli.command.unwrap_or_default() {
        Command::PrintConfig { .. } => Ok(cli::print(&config.to_toml())),
        Command::Token(token) => Ok(cli::print(&token::make(token, &config, &sources)?)),
        Command::Migrate => Ok(cli::print(&app::migrate(&config).await?)),
        Command::CheckConfig => Ok(cli::print(&app::check(&config, &sources)?)),
        Command::Serve => {
            let level = logs::init(&config.log);
            if !sources.ignored().is_empty() {
                let keys = sources.ignored().join(", ");
                tracing::warn!(
                    keys,
                    "in the configuration file without a counterpart here; ignored"
                );
            }
            if config.auth.jwt.has_short_secret() {
                tracing::warn!(
                    "a secret in auth.jwt is shorter than 32 bytes: whoever has seen one token can \
                     find it by trying, and make tokens of any user; take a longer one"
                );
            }
            let Server { drain_delay, drain_window, grace, .. } = config.server;
            let other = |why: io::Error| StartError::Other(why.into());
            watchdog::start(drain_delay + drain_window + grace).map_err(other)?;
            let mut signals = Signals::new().map_err(other)?;
            let gateway = tokio::select! {
                built = Gateway::build(config, &sources) => built?,
                signal = signals.next() => {
                    tracing::info!(signal, "stopped before it was ready");
                    return Ok(ExitCode::SUCCESS);
                }
            };
            cli::print(&gateway.ready(begin.elapsed()));
            Ok(gateway.serve(origin, level, signals).await?.finish(grace).await)
        }
    }
}
