//! `cargo xtask bench`: the binary of `cargo run --release` under load, as tables of medians.
mod plot;
mod relay;
mod rooms;
mod server;
mod sheet;
mod table;
mod workflows;

use std::{fs, process::ExitCode};

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::{Value, json};
use xshell::cmd;

use crate::project::Project;
use server::{Kind, Server};

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
    /// The same fan-out and idle connections on servers with a ready-made WebSocket.
    Peers,
    /// From the start to the first connection, and the memory of the process then.
    Start,
    /// Questions over HTTP, relayed to an agent.
    Relay,
    /// Fan-out, idle connections and latency over Socket.IO, also on other servers.
    Rooms,
    /// Operations on a spreadsheet of a million rows, also with pandas.
    Workflows,
    All,
}

const EACH: [Bench; 10] = [
    Bench::Fanout,
    Bench::Channels,
    Bench::Idle,
    Bench::Roundtrip,
    Bench::Stuck,
    Bench::Peers,
    Bench::Start,
    Bench::Relay,
    Bench::Rooms,
    Bench::Workflows,
];

/// One measured case takes this often, each on a server of its own so that none inherits the memory
/// of the one before; the table shows the median.
const ROUNDS: usize = 3;

const GATEWAY: &[Kind] = &[Kind::Gateway];
const PEERS: &[Kind] = &[Kind::Peer("axum-feed"), Kind::Peer("axum-flush")];

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
            Self::Channels => &[
                &["channels", "--channels", "1000", "--readers", "2"],
                &["channels", "--channels", "1000", "--readers", "2", "--mode", "paced"],
            ],
            Self::Idle => &[&["idle", "--connections", "10000"]],
            Self::Roundtrip => &[&["roundtrip", "--inflight", "1"], &["roundtrip"]],
            Self::Stuck => &[&["stuck", "--readers", "50", "--stuck", "10"]],
            Self::Peers => &[
                &["fanout", "--readers", "50"],
                &["fanout", "--readers", "500"],
                &["fanout", "--readers", "500", "--mode", "paced"],
                &["idle", "--connections", "10000"],
            ],
            Self::Start | Self::Relay | Self::Rooms | Self::Workflows | Self::All => &[],
        }
    }

    fn servers(self) -> &'static [Kind] {
        if self == Self::Peers { PEERS } else { GATEWAY }
    }
}

pub(crate) fn run(project: &Project, chosen: Bench) -> Result<ExitCode> {
    let sh = &project.sh;
    // Two builds: one build would unify their features, and change the server.
    cmd!(sh, "cargo build --release -p quadrille").run()?;
    cmd!(sh, "cargo build --release -p quadrille-bench").run()?;
    for bench in EACH.into_iter().filter(|bench| chosen == *bench || chosen == Bench::All) {
        if bench == Bench::Start {
            println!("\n{}", table::markdown(&[start(project)?]));
        }
        if bench == Bench::Relay {
            println!("\n{}", table::markdown(&relay::rows(project)?));
        }
        if bench == Bench::Rooms {
            rooms::run(project)?;
        }
        if bench == Bench::Workflows {
            println!("\n{}", table::markdown(&workflows::rows(project)?));
        }
        for arguments in bench.cases().chunk_by(|a, b| a.first() == b.first()) {
            let cases = arguments
                .iter()
                .flat_map(|arguments| bench.servers().iter().map(move |on| (*on, *arguments)));
            let rows: Result<Vec<_>> =
                cases.map(|(on, arguments)| case(project, on, arguments)).collect();
            println!("\n{}", table::markdown(&rows?));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn case(project: &Project, on: Kind, arguments: &[&str]) -> Result<Value> {
    let (sh, target) = (&project.sh, project.target());
    let loadgen = target.join("release/loadgen");
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let server = Server::start(on, &target)?;
        let (address, pid) = (&server.address, server.id().to_string());
        let line =
            cmd!(sh, "{loadgen} {arguments...} --addr {address} --pid {pid} --rounds 1").read()?;
        let mut round: Value =
            serde_json::from_str(&line).context("the load generator prints JSON")?;
        round["server"] = on.name().into();
        rounds.push(round);
    }
    table::median(&rounds).context("no round was measured")
}

/// Start to ready, size of the binary, and memory before the first connection.
fn start(project: &Project) -> Result<Value> {
    let target = project.target();
    let binary = fs::metadata(Kind::Gateway.binary(&target))?.len();
    let mut rounds = Vec::new();
    for _ in 0..10 * ROUNDS {
        let server = Server::start(Kind::Gateway, &target)?;
        rounds.push(json!({
            "scenario": "start",
            "ready_ms": server.took.as_secs_f64() * 1e3,
            "binary_kib": binary / 1024,
            "rss_kib": server.resident()?,
        }));
    }
    table::median(&rounds).context("no round was measured")
}
