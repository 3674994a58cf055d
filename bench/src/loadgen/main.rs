//! Load generator for servers that speak the broker protocol or Socket.IO, or are asked as a relay;
//! prints one line of JSON per round.
//!
//! It runs on one thread and reads the server's CPU time and memory from outside, so it needs the
//! server's process id. It reports and never judges: it fails only if it could not measure.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

mod broadcast;
mod caller;
mod channels;
mod conn;
mod fanout;
mod fleet;
mod frame;
mod http;
mod idle;
mod latency;
mod message;
mod proc;
mod protocol;
mod publisher;
mod reader;
mod relay;
mod report;
mod roundtrip;
mod stuck;
mod target;
mod workflow;

#[derive(Debug, Parser)]
#[command(about = "Measures a server's CPU time and memory under load")]
enum Command {
    /// One publisher, one channel, many readers.
    Fanout(fanout::Fanout),
    /// Many channels with a few readers each.
    Channels(channels::Channels),
    /// Many connections that do nothing.
    Idle(idle::Idle),
    /// Publish, wait for the delivery, publish again.
    Roundtrip(roundtrip::Roundtrip),
    /// Publish at given rates, and see how long deliveries take.
    Latency(latency::Latency),
    /// Fan-out beside readers that never read.
    Stuck(stuck::Stuck),
    /// Ask over HTTP, wait for the reply, ask again.
    Relay(relay::Relay),
    /// One operation on a spreadsheet.
    Workflow(workflow::Workflow),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With its causes on one line. If standard error is closed, the exit code must do.
            drop(writeln!(io::stderr(), "loadgen: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    match Command::parse() {
        Command::Fanout(fanout) => fanout.run(),
        Command::Channels(channels) => channels.run(),
        Command::Idle(idle) => idle.run(),
        Command::Roundtrip(roundtrip) => roundtrip.run(),
        Command::Latency(latency) => latency.run(),
        Command::Stuck(stuck) => stuck.run(),
        Command::Relay(relay) => relay.run(),
        Command::Workflow(workflow) => workflow.run(),
    }
}
