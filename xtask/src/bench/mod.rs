//! `cargo xtask bench`: the released binary under load, as tables of medians.
mod server;
mod table;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::Value;
use xshell::cmd;

use crate::project::Project;
use server::Server;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bench {
    /// One publisher, one channel, many readers.
    Fanout,
    /// Many channels with a few readers each.
    Channels,
    /// Many connections that do nothing.
    Idle,
    /// Publish, wait for the delivery, publish again.
    Roundtrip,
    /// Fan-out beside readers that never read.
    Stuck,
    All,
}

const EACH: [Bench; 5] =
    [Bench::Fanout, Bench::Channels, Bench::Idle, Bench::Roundtrip, Bench::Stuck];

/// One measured case takes this often; the table shows the median.
const ROUNDS: &str = "3";

impl Bench {
    /// The arguments of the load generator, one list for each line of the table.
    fn cases(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Fanout => &[
                &["fanout", "--readers", "50"],
                &["fanout", "--readers", "500"],
                &["fanout", "--readers", "2000"],
                &["fanout", "--readers", "500", "--mode", "paced"],
            ],
            Self::Channels => &[&["channels", "--channels", "1000", "--readers", "2"]],
            Self::Idle => &[&["idle", "--connections", "10000"]],
            Self::Roundtrip => &[&["roundtrip", "--inflight", "1"], &["roundtrip"]],
            Self::Stuck => &[&["stuck", "--readers", "50", "--stuck", "10"]],
            Self::All => &[],
        }
    }
}

pub(crate) fn run(project: &Project, what: Bench) -> Result<ExitCode> {
    let sh = &project.sh;
    cmd!(sh, "cargo build --profile dist -p quadrille").run()?;
    cmd!(sh, "cargo build --release -p quadrille-bench --bin loadgen").run()?;
    for bench in EACH.into_iter().filter(|it| what == *it || what == Bench::All) {
        let rows: Result<Vec<_>> =
            bench.cases().iter().map(|arguments| case(project, arguments)).collect();
        println!("\n{}", table::markdown(&rows?));
    }
    Ok(ExitCode::SUCCESS)
}

/// One case on a server of its own, so that none inherits the memory of the one before.
fn case(project: &Project, arguments: &[&str]) -> Result<Value> {
    let (sh, target) = (&project.sh, project.target());
    let server = Server::start(&target.join("dist/quadrille"), &target)?;
    let (address, pid) = (&server.address, server.id().to_string());
    let loadgen = target.join("release/loadgen");
    let lines = cmd!(sh, "{loadgen} {arguments...} --addr {address} --pid {pid} --rounds {ROUNDS}")
        .read()?;
    let rounds: Result<Vec<Value>, _> = lines.lines().map(serde_json::from_str).collect();
    table::median(&rounds.context("the load generator prints JSON")?)
        .context("no round was measured")
}
