//! `rooms`: Socket.IO through the gateway, and through servers that do the same with its libraries
//! for Rust, Node and Python.
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use xshell::cmd;

use super::{
    ROUNDS,
    plot::{self, Line, Point},
    server::{Kind, Server},
    table,
};
use crate::{clients, project::Project};

const PLOT: &str = "docs/images/rooms-latency.svg";

/// The servers on Node and Python get one round: they need a minute where others need seconds.
const SLOW_ROUNDS: usize = 1;

/// Flask-SocketIO has four threads for each connection, and does not get to 10,000 in two minutes.
const FLASK_IDLE: &str = "2000";
const IDLE: &str = "10000";

const FANOUT: [&[&str]; 4] = [
    &["--readers", "50", "--mode", "saturated"],
    &["--readers", "500", "--mode", "saturated"],
    &["--readers", "2000", "--mode", "saturated"],
    &["--readers", "500", "--mode", "paced"],
];
/// The order of every reader is checked, and a server has so many seconds to catch up.
const EVERY_READER: &[&str] = &["--check", "2000", "--drain", "20", "--rounds", "1"];
const LATENCY: &[&str] = &["--readers", "50", "--rates", "10,50,100,200,500,1000,2000"];

/// Server of the rooms.
#[derive(Debug)]
enum Backend {
    Gateway,
    Socketioxide,
    /// With modules that have socket.io.
    Node(Result<String, String>),
    /// By an interpreter that has Flask-SocketIO.
    Flask(Result<String, String>),
}

/// Prints the tables and draws the plot.
pub(super) fn run(project: &Project) -> Result<()> {
    let servers = [
        Backend::Gateway,
        Backend::Socketioxide,
        Backend::Node(clients::node_rooms(project)),
        Backend::Flask(clients::flask_rooms(project)),
    ];
    let caption = format!(
        "Medians of {ROUNDS} rounds for quadrille and socketioxide, {SLOW_ROUNDS} for node and flask."
    );
    println!("\n{caption}");
    let fanout = FANOUT.iter().flat_map(|arguments| servers.iter().map(move |on| (on, arguments)));
    let fanout: Vec<_> = fanout
        .flat_map(|(on, case)| rows(project, on, &[&["fanout"], *case, EVERY_READER].concat()))
        .collect();
    println!("\n{}", table::markdown(&fanout));
    let idle = servers.iter().flat_map(|on| {
        rows(project, on, &["idle", "--rounds", "1", "--connections", on.idle_connections()])
    });
    println!("\n{}", table::markdown(&idle.collect::<Vec<_>>()));
    let latency: Vec<_> = servers
        .iter()
        .flat_map(|on| rows(project, on, &[&["latency"], LATENCY].concat()))
        .collect();
    println!("\n{}", table::markdown(&latency));
    let lines = lines(&latency);
    if !lines.is_empty() {
        project.sh.write_file(project.root.join(PLOT), plot::svg(&lines))?;
        println!("\ndrawn: {PLOT}");
    }
    Ok(())
}

/// The medians of a case, one for each line that the load generator prints; or one row with the
/// reason if there are none.
fn rows(project: &Project, on: &Backend, arguments: &[&str]) -> Vec<Value> {
    let rounds: Result<Vec<_>> = (0..on.rounds()).map(|_| round(project, on, arguments)).collect();
    let mut rows = match rounds.and_then(|rounds| medians(&rounds)) {
        Ok(rows) => rows,
        Err(err) => return vec![without_figures(on, arguments, &format!("{err:#}"))],
    };
    for row in &mut rows {
        row["server"] = on.name().into();
        row["rounds"] = on.rounds().into();
    }
    rows
}

/// One run of the load generator on a server of its own.
fn round(project: &Project, on: &Backend, arguments: &[&str]) -> Result<Vec<Value>> {
    let server = on.start(project)?;
    let (address, pid) = (&server.address, server.id().to_string());
    let loadgen = project.target().join("release/loadgen");
    let run = cmd!(
        project.sh,
        "{loadgen} {arguments...} --protocol socketio --addr {address} --pid {pid}"
    );
    let output = run.ignore_status().output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    let lines = String::from_utf8(output.stdout)?;
    let reports = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>();
    reports.context("the load generator prints JSON")
}

/// The median of the first lines of all rounds, that of the second ones, and so on.
fn medians(rounds: &[Vec<Value>]) -> Result<Vec<Value>> {
    let lines = rounds.iter().map(Vec::len).min().unwrap_or(0);
    let line = |n: usize| rounds.iter().map(|round| round[n].clone()).collect::<Vec<_>>();
    let medians: Vec<_> = (0..lines).filter_map(|n| table::median(&line(n))).collect();
    ensure!(!medians.is_empty(), "nothing was measured");
    Ok(medians)
}

/// Row of a case that was not measured: its arguments, and the reason.
fn without_figures(on: &Backend, arguments: &[&str], reason: &str) -> Value {
    let mut row = Map::new();
    row.insert("server".to_owned(), on.name().into());
    row.insert("note".to_owned(), format!("not measured: {}", reason.replace('\n', " ")).into());
    row.insert("scenario".to_owned(), arguments.first().copied().into());
    for pair in arguments.windows(2) {
        let field = match pair[0] {
            "--readers" => "readers_per_channel",
            "--connections" => "connections",
            "--mode" => "mode",
            _ => continue,
        };
        row.insert(field.to_owned(), pair[1].into());
    }
    row.into()
}

/// A line for each server and percentile.
fn lines(rows: &[Value]) -> Vec<Line> {
    let mut lines = Vec::new();
    for of_server in rows.chunk_by(|a, b| a["server"] == b["server"]) {
        for (field, percentile) in [("latency_p50_us", 50), ("latency_p99_us", 99)] {
            let points: Vec<_> = of_server.iter().filter_map(|row| point(row, field)).collect();
            let server = of_server[0]["server"].as_str().unwrap_or_default().to_owned();
            if !points.is_empty() {
                lines.push(Line { server, percentile, points });
            }
        }
    }
    lines
}

fn point(row: &Value, field: &str) -> Option<Point> {
    let micros = row[field].as_f64().filter(|micros| *micros > 0.0)?;
    let whole = row["lost"] == json!(0);
    Some(Point { rate: row["rate"].as_f64()?, micros, whole })
}

// === impl Backend ===

impl Backend {
    fn name(&self) -> &'static str {
        match self {
            Self::Gateway => Kind::Gateway.name(),
            Self::Socketioxide => "socketioxide",
            Self::Node(_) => "node",
            Self::Flask(_) => "flask",
        }
    }

    fn rounds(&self) -> usize {
        match self {
            Self::Gateway | Self::Socketioxide => ROUNDS,
            Self::Node(_) | Self::Flask(_) => SLOW_ROUNDS,
        }
    }

    fn idle_connections(&self) -> &'static str {
        if matches!(self, Self::Flask(_)) { FLASK_IDLE } else { IDLE }
    }

    fn start(&self, project: &Project) -> Result<Server> {
        let (root, target) = (&project.root, project.target());
        let available =
            |server: &Result<String, String>| server.clone().map_err(anyhow::Error::msg);
        let mut command = match self {
            Self::Gateway => return Server::start(Kind::Gateway, &target),
            Self::Socketioxide => {
                let mut command = Command::new(target.join("release/peer"));
                command.args(["socketioxide", "--addr", "127.0.0.1:0"]);
                command
            }
            Self::Node(modules) => {
                let mut command = Command::new("node");
                command
                    .arg(root.join("bench/node/rooms.cjs"))
                    .env("NODE_PATH", available(modules)?);
                command
            }
            Self::Flask(python) => {
                let mut command = Command::new(available(python)?);
                // It has a line for each request.
                command.arg(root.join("bench/flask/rooms.py")).stderr(Stdio::null());
                command
            }
        };
        Server::launch(command.current_dir(&target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rate_has_its_median_and_each_server_its_lines() {
        let round = |p50: u64, lost: u64| {
            [10, 50].map(|rate| {
                json!({"server": "a", "rate": rate, "latency_p50_us": p50 + rate, "lost": lost})
            })
        };
        let rounds = [round(300, 0), round(100, 0), round(200, 0)].map(|round| round.to_vec());
        let mut rows = medians(&rounds).unwrap();
        rows[1]["lost"] = 7.into();
        let expected = Line {
            server: "a".to_owned(),
            percentile: 50,
            points: vec![
                Point { rate: 10.0, micros: 210.0, whole: true },
                Point { rate: 50.0, micros: 250.0, whole: false },
            ],
        };
        assert_eq!(lines(&rows), [expected]);
        assert!(medians(&[]).is_err());
    }

    #[test]
    fn a_row_without_figures_says_what_was_asked_and_why() {
        let node = Backend::Node(Err("node 20 or newer not found".to_owned()));
        let arguments = ["fanout", "--readers", "50", "--mode", "paced", "--check", "8"];
        let expected = json!({
            "server": "node",
            "scenario": "fanout",
            "readers_per_channel": "50",
            "mode": "paced",
            "note": "not measured: no node",
        });
        assert_eq!(without_figures(&node, &arguments, "no\nnode"), expected);
    }
}
