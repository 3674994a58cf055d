//! `relay`: callers that ask over HTTP, wait for the reply, and ask again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use mio::{Events, Poll};
use serde::{Deserialize, Serialize};

use crate::caller::{Caller, Outcome};
use crate::proc::Server;
use crate::report::{self, End, Meter, quantile, seconds};
use crate::target;

#[derive(Debug, clap::Args)]
pub(crate) struct Relay {
    /// Where the relay listens.
    #[arg(long)]
    addr: SocketAddr,
    /// The relay's process; several, separated by commas, if it has workers.
    #[arg(long, required = true, value_delimiter = ',')]
    pid: Vec<u32>,
    /// Where the `cat` listens that the relay asks.
    #[arg(long)]
    cat: SocketAddr,
    /// Callers, each with its own connection and user, and one question on its way.
    #[arg(long, default_value_t = 64)]
    callers: usize,
    /// Questions of one round, of all callers together.
    #[arg(long, default_value_t = 20_000)]
    requests: u64,
    /// Questions before the round, which are not measured.
    #[arg(long, default_value_t = 2_000)]
    warm_up: u64,
    /// Give up when nothing has arrived for this many seconds.
    #[arg(long, default_value_t = 10.0)]
    stall: f64,
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

#[derive(Debug, Serialize)]
struct Report {
    scenario: &'static str,
    round: u32,
    callers: usize,
    requests: u64,
    replies: u64,
    /// Replies to another question.
    wrong: u64,
    failed: u64,
    /// Questions that nothing came of.
    lost: u64,
    stalled: bool,
    wall_s: f64,
    server_cpu_s: f64,
    loadgen_cpu_s: f64,
    us_per_request: f64,
    requests_per_s: f64,
    latency_p50_us: u64,
    latency_p99_us: u64,
    latency_max_us: u64,
    rss_after_kib: u64,
    /// Connections to the agent: at most at once, and in all, since it was started.
    upstream_most: u64,
    upstream_all: u64,
}

/// All callers on one epoll.
#[derive(Debug)]
struct Crowd {
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
    callers: Vec<Caller>,
    stall: Duration,
}

/// Outcomes of the questions.
#[derive(Debug, Default)]
struct Tally {
    replies: u64,
    wrong: u64,
    failed: u64,
    /// Microseconds of each reply.
    latencies: Vec<u64>,
}

/// Counters of the `cat`.
#[derive(Debug, Deserialize)]
struct Upstream {
    most: u64,
    all: u64,
}

// === impl Relay ===

impl Relay {
    pub(crate) fn run(&self) -> Result<()> {
        target::allow_connections(self.addr, self.callers)?;
        for round in 1..=self.rounds {
            report::print(&self.round(round)?)?;
        }
        Ok(())
    }

    fn round(&self, round: u32) -> Result<Report> {
        let server = Server(self.pid.clone());
        let mut crowd = Crowd {
            poll: Poll::new().context("cannot open epoll")?,
            events: Events::with_capacity(1024),
            scratch: vec![0; 64 * 1024],
            callers: (0..self.callers).map(|index| Caller::new(self.addr, index)).collect(),
            stall: Duration::from_secs_f64(self.stall),
        };
        crowd.ask(self.warm_up, &mut Meter::start(&server)?)?;
        let mut meter = Meter::start(&server)?;
        let mut tally = crowd.ask(self.requests, &mut meter)?;
        let done = tally.replies + tally.wrong + tally.failed;
        let stalled = done < self.requests;
        let usage = meter.finish(if stalled { End::Stalled } else { End::Complete })?;
        let rss_after_kib = server.resident_kib()?;
        let Upstream { most, all } = upstream(self.cat).context("cannot ask the cat")?;
        tally.latencies.sort_unstable();
        let latencies = &tally.latencies;
        Ok(Report {
            scenario: "relay",
            round,
            callers: self.callers,
            requests: self.requests,
            replies: tally.replies,
            wrong: tally.wrong,
            failed: tally.failed,
            lost: self.requests - done,
            stalled,
            wall_s: seconds(usage.wall),
            server_cpu_s: seconds(usage.server),
            loadgen_cpu_s: seconds(usage.own),
            us_per_request: usage.micros_per(done),
            requests_per_s: usage.per_second(done),
            latency_p50_us: quantile(latencies, 50),
            latency_p99_us: quantile(latencies, 99),
            latency_max_us: latencies.last().copied().unwrap_or(0),
            rss_after_kib,
            upstream_most: most,
            upstream_all: all,
        })
    }
}

// === impl Crowd ===

impl Crowd {
    /// Asks so many questions, and waits for the outcome of each.
    fn ask(&mut self, questions: u64, meter: &mut Meter<'_>) -> Result<Tally> {
        const TICK: Duration = Duration::from_millis(50);
        let registry = self.poll.registry().try_clone()?;
        let mut tally = Tally::default();
        let (mut left, mut on_the_way) = (questions, 0_u64);
        for caller in &mut self.callers {
            if left > 0 {
                caller.ask(&registry)?;
                left -= 1;
                on_the_way += 1;
            }
        }
        while on_the_way > 0 && meter.since_progress() < self.stall {
            self.poll.poll(&mut self.events, Some(TICK)).context("cannot wait for events")?;
            let mut progress = false;
            for event in &self.events {
                let caller = &mut self.callers[event.token().0];
                let Some(outcome) = caller.read(&mut self.scratch) else { continue };
                let micros = caller.sent_at.elapsed().as_micros();
                tally.take(outcome, u64::try_from(micros).unwrap_or(u64::MAX));
                progress = true;
                on_the_way -= 1;
                if left > 0 {
                    caller.ask(&registry)?;
                    left -= 1;
                    on_the_way += 1;
                }
            }
            meter.note(progress)?;
        }
        Ok(tally)
    }
}

// === impl Tally ===

impl Tally {
    fn take(&mut self, outcome: Outcome, micros: u64) {
        match outcome {
            Outcome::Reply => {
                self.replies += 1;
                self.latencies.push(micros);
            }
            Outcome::Wrong => self.wrong += 1,
            Outcome::Failed => self.failed += 1,
        }
    }
}

fn upstream(cat: SocketAddr) -> Result<Upstream> {
    let mut stream = TcpStream::connect(cat)?;
    stream.write_all(b"GET /connections HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("no body")?;
    Ok(serde_json::from_str(body)?)
}
