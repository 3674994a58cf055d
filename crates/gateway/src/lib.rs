//! The gateway: one binary, several protocols, one core. A library only so that fuzz targets can
//! reach its parsers.
mod app;
mod base_path;
mod cli;
mod config;
mod cors;
mod edge;
mod exit_code;
mod file_limit;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod hosts;
mod lifecycle;
mod listen;
mod log_throttle;
mod logs;
mod metrics;
mod openapi;
mod ops;
mod proxies;
mod reload;
mod route;
mod signals;
mod start_error;
mod startup;
mod token;
mod traces;
mod url;
mod watchdog;

use std::{ffi::OsString, io, process::ExitCode, time::Instant};

use tokio::runtime::Builder;

use crate::{
    cli::{Cli, Command},
    config::{Config, Server},
    lifecycle::Gateway,
    reload::ConfigSource,
    signals::Signals,
    start_error::StartError,
};

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    let begin = Instant::now();
    quadrille_identity::install_crypto();
    let text = |text: OsString| text.to_string_lossy().into_owned();
    let environment: Vec<_> =
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(err) => return StartError::Other(err.into()).report(),
    };
    let ended = runtime.block_on(run(cli, environment, begin));
    // Blocking threads are not waited for: the drain has given them their time.
    runtime.shutdown_background();
    ended.unwrap_or_else(|err| err.report())
}

async fn run(
    cli: Cli,
    environment: Vec<(String, String)>,
    begin: Instant,
) -> Result<ExitCode, StartError> {
    if let Some(Command::PrintConfig { default: true }) = cli.command {
        return Ok(cli::print(&Config::reference()));
    }
    let source = ConfigSource { file: cli.config, environment };
    let (config, sources) = source.load()?;
    // Files with user data are private, whatever the mode of their folder. A socket sets its own mode.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    match cli.command.unwrap_or_default() {
        Command::PrintConfig { .. } => Ok(cli::print(&config.to_toml())),
        Command::Token(token) => Ok(cli::print(&token::make(token, &config, &sources)?)),
        Command::Migrate => Ok(cli::print(&app::storage::migrate(&config).await?)),
        Command::CheckConfig => Ok(cli::print(&app::check::check(&config, &sources)?)),
        Command::Serve => {
            let level = logs::init(&config.log);
            if !sources.ignored().is_empty() {
                let keys = sources.ignored().join(", ");
                tracing::warn!(keys, "unknown keys of the configuration file are ignored");
            }
            if config.auth.jwt.has_short_secret() {
                tracing::warn!(
                    "a secret in auth.jwt is shorter than 32 bytes: it can be found by brute force from \
                     one token, which allows to forge tokens of any user; use a longer one"
                );
            }
            let Server { drain_delay, drain_window, grace, .. } = config.server;
            let other = |err: io::Error| StartError::Other(err.into());
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
            Ok(gateway.serve(source, level, signals).await?.finish(grace).await)
        }
    }
}
