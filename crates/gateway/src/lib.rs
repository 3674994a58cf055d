//! The gateway: one binary, several protocols, one core. A library only so that fuzz targets can
//! reach its parsers.
mod accept;
mod app;
mod below;
mod cli;
mod compress;
mod config;
mod doors;
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
mod ops;
mod places;
mod proxies;
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

use std::{ffi::OsString, process::ExitCode, time::Instant};

use crate::{
    cli::{Cli, Command},
    config::Config,
    gateway::{Gateway, StartError},
    reload::Origin,
};

/// The whole program, from its arguments to its exit code.
#[tokio::main]
pub async fn main() -> ExitCode {
    let begin = Instant::now();
    quadrille_core::auth::install_crypto();
    let text = |it: OsString| it.to_string_lossy().into_owned();
    let environment: Vec<_> =
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    run(cli, environment, begin).await.unwrap_or_else(|why| why.report())
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
            let grace = config.server.grace;
            let gateway = Gateway::build(config, &sources).await?;
            cli::print(&gateway.ready(begin.elapsed()));
            Ok(gateway.serve(origin, level).await?.finish(grace).await)
        }
    }
}
