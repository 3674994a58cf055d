//! `relay`: one question over HTTP and its one reply, through the gateway, through the least relay
//! that axum makes, and through the Flask app that one begins with.
use std::{path::Path, process::Command};

use anyhow::{Context, Result};
use serde_json::Value;
use xshell::cmd;

use super::{
    ROUNDS,
    server::{Kind, Server},
    table,
};
use crate::{clients, project::Project};

/// Server that relays.
#[derive(Clone, Copy, Debug)]
enum Relay<'a> {
    Gateway,
    Axum,
    /// By an interpreter that has Flask.
    Flask(&'a str),
}

/// How many callers, and how many questions of all of them.
struct Load {
    callers: &'static str,
    requests: &'static str,
    warm_up: &'static str,
}

const LOADS: [Load; 3] = [
    Load { callers: "1", requests: "20000", warm_up: "2000" },
    Load { callers: "64", requests: "20000", warm_up: "2000" },
    Load { callers: "256", requests: "20000", warm_up: "2000" },
];

/// Each question takes this one a second, and a connection and a thread for good.
const FLASK: [Load; 3] = [
    Load { callers: "1", requests: "10", warm_up: "0" },
    Load { callers: "64", requests: "640", warm_up: "0" },
    Load { callers: "256", requests: "512", warm_up: "0" },
];

pub(super) fn rows(project: &Project) -> Result<Vec<Value>> {
    let flask = clients::flask(project);
    if let Err(err) = &flask {
        println!("\nwithout the Flask app: {err}");
    }
    let fast = [Relay::Gateway, Relay::Axum];
    let fast = LOADS.iter().flat_map(|load| fast.map(|on| (on, load)));
    let slow = flask
        .iter()
        .flat_map(|python| FLASK.iter().map(|arguments| (Relay::Flask(python), arguments)));
    fast.chain(slow).map(|(on, load)| case(project, on, load)).collect()
}

fn case(project: &Project, on: Relay<'_>, load: &Load) -> Result<Value> {
    let (sh, target) = (&project.sh, project.target());
    let loadgen = target.join("release/loadgen");
    let Load { callers, requests, warm_up } = load;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let mut cat = Command::new(target.join("release/cat"));
        let cat = Server::launch(cat.args(["--addr", "127.0.0.1:0"]))?;
        let server = Server::launch(&mut on.command(&project.root, &target, &cat.address))?;
        let (address, pid, cat) = (&server.address, server.id().to_string(), &cat.address);
        let line = cmd!(
            sh,
            "{loadgen} relay --addr {address} --pid {pid} --cat {cat} --callers {callers}
             --requests {requests} --warm-up {warm_up} --rounds 1"
        )
        .read()?;
        let mut round: Value =
            serde_json::from_str(&line).context("the load generator prints JSON")?;
        round["server"] = on.name().into();
        rounds.push(round);
    }
    table::median(&rounds).context("no round was measured")
}

// === impl Relay ===

impl Relay<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Gateway => "quadrille",
            Self::Axum => "axum-relay",
            Self::Flask(_) => "flask",
        }
    }

    /// Starts it on a free port, before the Cat at `cat`. It finds no configuration file in `target`.
    fn command(self, root: &Path, target: &Path, cat: &str) -> Command {
        let mut command = match self {
            Self::Gateway => {
                let mut command = Command::new(Kind::Gateway.binary(target));
                command
                    .env("QUADRILLE_SERVER__LISTEN", "127.0.0.1:0")
                    .env("QUADRILLE_LOG__LEVEL", "warn")
                    .env("QUADRILLE_AGENTS__DEFAULT", "cat")
                    .env("QUADRILLE_AGENTS__CAT__KIND", "cheshire-cat")
                    .env("QUADRILLE_AGENTS__CAT__URL", format!("http://{cat}"));
                command
            }
            Self::Axum => {
                let mut command = Command::new(target.join("release/peer"));
                command.args(["axum-relay", "--addr", "127.0.0.1:0", "--cat", cat]);
                command
            }
            Self::Flask(python) => {
                let mut command = Command::new(python);
                let port = cat.rsplit(':').next().unwrap_or_default();
                command.arg(root.join("bench/flask/relay.py")).arg(port);
                // It has a line for each request.
                command.stderr(std::process::Stdio::null());
                command
            }
        };
        command.current_dir(target);
        command
    }
}
