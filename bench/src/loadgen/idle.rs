//! `idle`: many connections that subscribe and then do nothing.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::conn::Wish;
use crate::message::Names;
use crate::proc::own_cpu;
use crate::protocol::Protocol;
use crate::report::{self, Usage, float, round, seconds};
use crate::target::{Target, run_for};

#[derive(Debug, clap::Args)]
pub(crate) struct Idle {
    #[command(flatten)]
    target: Target,
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Subscribe all connections to one channel instead of each to its own.
    #[arg(long)]
    shared: bool,
    /// Keep the connections for this many seconds, and report what that costs.
    #[arg(long, default_value_t = 5.0)]
    hold: f64,
    #[arg(long, default_value_t = 1)]
    rounds: u32,
}

#[derive(Debug, Serialize)]
struct Report {
    scenario: &'static str,
    round: u32,
    protocol: Protocol,
    connections: usize,
    shared: bool,
    rss_before_kib: u64,
    rss_after_kib: u64,
    kib_per_connection: f64,
    open_wall_s: f64,
    open_server_cpu_s: f64,
    open_loadgen_cpu_s: f64,
    us_per_accept_subscribe: f64,
    hold_s: f64,
    hold_server_cpu_s: f64,
    /// Milliseconds of server CPU per second of idling.
    idle_cpu_ms_per_s: f64,
}

impl Idle {
    pub(crate) fn run(&self) -> Result<()> {
        self.target.allow_connections(self.connections)?;
        for round in 1..=self.rounds {
            report::print(&self.round(round)?)?;
        }
        Ok(())
    }

    fn round(&self, number: u32) -> Result<Report> {
        let server = self.target.server();
        let names = Names::new(number);
        let mut fleet = self.target.fleet()?;
        self.target.settle_cpu(&mut fleet)?;
        let rss_before_kib = self.target.settle_memory(&mut fleet)?;

        let (begin, cpu, own) = (Instant::now(), server.cpu()?, own_cpu()?);
        fleet.open((0..self.connections).map(|number| Wish {
            channel: Some(names.channel(if self.shared { 0 } else { number })),
            stuck: false,
        }))?;
        let opened = Usage {
            wall: begin.elapsed(),
            server: server.cpu()?.saturating_sub(cpu),
            own: own_cpu()?.saturating_sub(own),
        };
        let rss_after_kib = self.target.settle_memory(&mut fleet)?;

        let (begin, cpu) = (Instant::now(), server.cpu()?);
        run_for(&mut fleet, Duration::from_secs_f64(self.hold))?;
        let (hold, hold_cpu) = (begin.elapsed(), server.cpu()?.saturating_sub(cpu));

        let count = u64::try_from(self.connections)?;
        let growth = float(rss_after_kib) - float(rss_before_kib);
        Ok(Report {
            scenario: "idle",
            round: number,
            protocol: self.target.protocol,
            connections: self.connections,
            shared: self.shared,
            rss_before_kib,
            rss_after_kib,
            kib_per_connection: round(growth / float(count.max(1))),
            open_wall_s: seconds(opened.wall),
            open_server_cpu_s: seconds(opened.server),
            open_loadgen_cpu_s: seconds(opened.own),
            us_per_accept_subscribe: opened.micros_per(count),
            hold_s: seconds(hold),
            hold_server_cpu_s: seconds(hold_cpu),
            idle_cpu_ms_per_s: round(hold_cpu.as_secs_f64() * 1e3 / hold.as_secs_f64().max(1e-9)),
        })
    }
}
