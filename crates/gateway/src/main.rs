//! The gateway: one binary, several protocols, one core.
mod accept;
mod app;
mod cli;
mod config;
mod doors;
mod gateway;
mod listen;
mod logs;
mod metrics;
mod ops;
mod ready;
mod signals;
mod stall;
mod token;

use std::{ffi::OsString, process::ExitCode, time::Instant};

use crate::{
    cli::{Cli, Command},
    config::Config,
    gateway::{Gateway, StartError},
};

#[tokio::main]
async fn main() -> ExitCode {
    let begin = Instant::now();
    quadrille_core::auth::install_crypto();
    let text = |it: OsString| it.to_string_lossy().into_owned();
    let environment: Vec<_> =
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    run(cli, &environment, begin).await.unwrap_or_else(|why| why.report())
}

async fn run(
    cli: Cli,
    environment: &[(String, String)],
    begin: Instant,
) -> Result<ExitCode, StartError> {
    if let Some(Command::PrintConfig { default: true }) = cli.command {
        return Ok(cli::print(&Config::reference()));
    }
    let (config, sources) = Config::load(cli.config.as_deref(), environment)?;
    match cli.command.unwrap_or_default() {
        Command::PrintConfig { .. } => Ok(cli::print(&config.to_toml())),
        Command::Token(token) => Ok(cli::print(&token::make(token, &config, &sources)?)),
        Command::CheckConfig => Ok(cli::print(&app::check(&config, &sources)?)),
        Command::Serve => {
            logs::init(&config.log);
            let grace = config.server.grace;
            let gateway = Gateway::build(config, &sources)?;
            cli::print(&gateway.ready(begin.elapsed()));
            Ok(gateway.serve().await.finish(grace).await)
        }
    }
}
