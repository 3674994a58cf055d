//! All connections of a run on one epoll: opened with a bound on how many at once, then polled.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::{Events, Interest, Poll, Token};

use crate::conn::{Conn, Wish};
use crate::protocol::Protocol;

const IN_FLIGHT: usize = 64;
/// One read takes this much; shared by all connections.
const SCRATCH: usize = 64 * 1024;
/// How many connections one source address may have: well inside the default port range.
const PER_SOURCE: usize = 20_000;
/// How long nothing may happen while connections are opened, and how long that may take in all.
const PATIENCE: Duration = Duration::from_secs(10);
const OPEN_WITHIN: Duration = Duration::from_mins(2);

/// Event of a connection, as reported by [`Fleet::turn`].
#[derive(Debug)]
pub(crate) enum Happening<'a> {
    Text(&'a [u8]),
    Closed,
}

#[derive(Debug)]
pub(crate) struct Fleet {
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
    addr: SocketAddr,
    path: String,
    pub(crate) protocol: Protocol,
    pub(crate) conns: Vec<Conn>,
}

impl Fleet {
    pub(crate) fn new(addr: SocketAddr, path: &str, protocol: Protocol) -> Result<Self> {
        Ok(Self {
            poll: Poll::new().context("cannot open epoll")?,
            events: Events::with_capacity(1024),
            scratch: vec![0; SCRATCH],
            addr,
            path: path.to_owned(),
            protocol,
            conns: Vec::new(),
        })
    }

    /// Opens one connection per wish, in order, and returns when all of them are open.
    pub(crate) fn open(&mut self, wishes: impl IntoIterator<Item = Wish>) -> Result<()> {
        let mut wishes = wishes.into_iter();
        let (mut opening, begin) = (0, Instant::now());
        loop {
            while opening < IN_FLIGHT
                && let Some(wish) = wishes.next()
            {
                self.dial(wish)?;
                opening += 1;
            }
            if opening == 0 {
                return Ok(());
            }
            self.wait(PATIENCE)?;
            if self.events.is_empty() || begin.elapsed() >= OPEN_WITHIN {
                let open = self.conns.len() - opening;
                let took = begin.elapsed().as_secs();
                bail!("only {open} connections to {} opened in {took} s", self.addr);
            }
            for event in &self.events {
                let index = event.token().0;
                let conn = &mut self.conns[index];
                if event.is_writable() {
                    conn.writable = true;
                }
                if conn.is_open() {
                    if !conn.stuck {
                        conn.drain(&mut self.scratch, |_| {})?;
                    }
                } else if conn
                    .advance(&self.path, &mut self.scratch)
                    .with_context(|| format!("connection {index} to {}", self.addr))?
                {
                    opening -= 1;
                }
            }
        }
    }

    fn dial(&mut self, wish: Wish) -> Result<()> {
        let index = self.conns.len();
        let source = source(self.addr, index);
        let mut conn = Conn::connect(self.addr, source, self.protocol, wish)
            .with_context(|| format!("cannot connect to {} as connection {index}", self.addr))?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(conn.stream(), Token(index), interest)?;
        self.conns.push(conn);
        Ok(())
    }

    /// Waits for events and reads every connection that has some, except the stuck ones.
    pub(crate) fn turn(
        &mut self,
        wait: Duration,
        mut on: impl FnMut(usize, Happening<'_>),
    ) -> Result<()> {
        self.wait(wait)?;
        for event in &self.events {
            let index = event.token().0;
            let conn = &mut self.conns[index];
            if event.is_writable() {
                conn.writable = true;
                conn.flush();
            }
            if event.is_readable() && !conn.stuck && conn.closed.is_none() {
                conn.drain(&mut self.scratch, |text| on(index, Happening::Text(text)))?;
                if conn.closed.is_some() {
                    on(index, Happening::Closed);
                }
            }
        }
        Ok(())
    }

    /// Lets a stuck connection read again, and reads everything that has arrived.
    pub(crate) fn release(&mut self, index: usize, mut text: impl FnMut(&[u8])) -> Result<()> {
        let conn = &mut self.conns[index];
        conn.stuck = false;
        conn.drain(&mut self.scratch, &mut text)
    }

    fn wait(&mut self, wait: Duration) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                Err(error).context("epoll failed")
            }
            _ => Ok(()),
        }
    }
}

/// Spreads many connections to a loopback server over 127.0.0.1, 127.0.0.2 and so on.
fn source(to: SocketAddr, index: usize) -> Option<IpAddr> {
    let last = u8::try_from(1 + index / PER_SOURCE).ok().filter(|&last| last > 1)?;
    match to.ip() {
        IpAddr::V4(ip) if ip.is_loopback() => Some(Ipv4Addr::new(127, 0, 0, last).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_many_connections_to_loopback_need_a_source() {
        let local = SocketAddr::from(([127, 0, 0, 1], 80));
        assert_eq!(source(local, 19_999), None);
        assert_eq!(source(local, 20_000), Some(Ipv4Addr::new(127, 0, 0, 2).into()));
        assert_eq!(source(SocketAddr::from(([10, 0, 0, 1], 80)), 20_000), None);
    }
}
