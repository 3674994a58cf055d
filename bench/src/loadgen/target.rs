//! The server under test: where it listens, which process it is, and when it is at rest.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rlimit::Resource;

use crate::fleet::Fleet;
use crate::proc::Server;
use crate::protocol::Protocol;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Target {
    /// Where the server listens.
    #[arg(long)]
    addr: SocketAddr,
    /// The server's process; several, separated by commas, if it has workers.
    #[arg(long, required = true, value_delimiter = ',')]
    pid: Vec<u32>,
    /// The protocol on the WebSocket.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) protocol: Protocol,
    /// The path of the WebSocket, if it is not the protocol's usual one.
    #[arg(long)]
    path: Option<String>,
}

impl Target {
    pub(crate) fn server(&self) -> Server {
        Server(self.pid.clone())
    }

    pub(crate) fn fleet(&self) -> Result<Fleet> {
        let path = self.path.as_deref().unwrap_or_else(|| self.protocol.path());
        Fleet::new(self.addr, path, self.protocol)
    }

    /// Raises the limit on open files as far as `connections` need it.
    pub(crate) fn allow_connections(&self, connections: usize) -> Result<()> {
        allow_connections(self.addr, connections)
    }

    /// Waits until the server does nothing for a moment, for half a minute at most: a server that
    /// tells everyone in a room of everyone who joins it may need that.
    pub(crate) fn settle_cpu(&self, fleet: &mut Fleet) -> Result<()> {
        const QUIET: Duration = Duration::from_millis(150);
        let server = self.server();
        let mut before = server.cpu()?;
        for _ in 0..200 {
            run_for(fleet, QUIET)?;
            let now = server.cpu()?;
            if now == before {
                break;
            }
            before = now;
        }
        Ok(())
    }

    /// Waits until the server's memory stays as it is for a second, for ten at most; returns it.
    pub(crate) fn settle_memory(&self, fleet: &mut Fleet) -> Result<u64> {
        const STEP: Duration = Duration::from_millis(250);
        const CHANGE_KIB: u64 = 64;
        let server = self.server();
        let (mut before, mut still) = (server.resident_kib()?, 0);
        for _ in 0..40 {
            run_for(fleet, STEP)?;
            let now = server.resident_kib()?;
            still = if now.abs_diff(before) <= CHANGE_KIB { still + 1 } else { 0 };
            before = now;
            if still == 4 {
                break;
            }
        }
        Ok(before)
    }
}

/// Raises the limit on open files as far as `connections` to `addr` need it.
pub(crate) fn allow_connections(addr: SocketAddr, connections: usize) -> Result<()> {
    const OTHER_FILES: u64 = 64;
    let needed = u64::try_from(connections)? + OTHER_FILES;
    let (soft, hard) = Resource::NOFILE.get()?;
    if soft >= needed || Resource::NOFILE.set(needed.max(soft), needed.max(hard)).is_ok() {
        return Ok(());
    }
    bail!("{connections} connections to {addr} need {needed} open files; the limit is {hard}")
}

/// Lets time pass and answers pings. A connection that is closed meanwhile is an error.
pub(crate) fn run_for(fleet: &mut Fleet, time: Duration) -> Result<()> {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        fleet.turn(left, |_, _| {})?;
    }
    let closed = fleet.conns.iter().find_map(|conn| conn.closed);
    match closed {
        None => Ok(()),
        Some(code) => Err(anyhow::anyhow!("code {code}")).context("the server closed a connection"),
    }
}
