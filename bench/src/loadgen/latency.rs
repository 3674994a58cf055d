//! `latency`: one channel, many readers, and a publisher that sends at a given rate whether or not
//! the server keeps up. One round for each rate.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::conn::Wish;
use crate::fleet::{Fleet, Happening};
use crate::message::{self, Names};
use crate::protocol::{Finder, Protocol};
use crate::publisher::Publisher;
use crate::reader::Reader;
use crate::report::{self, End, Meter, Usage, quantile, seconds, total};
use crate::target::Target;

/// A publisher's buffer. Messages beyond it wait, and keep the time at which they were due.
const BUFFER: usize = 64 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Latency {
    #[command(flatten)]
    target: Target,
    /// Subscribers of the one channel.
    #[arg(long, default_value_t = 50)]
    readers: usize,
    /// Messages per second, a round for each.
    #[arg(long, value_delimiter = ',', default_value = "10,50,100,200,500,1000,2000")]
    rates: Vec<u32>,
    /// Bytes of one publication, the whole text.
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Publish for this long at each rate, then wait for the rest to arrive.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Give up when nothing has arrived for this many seconds.
    #[arg(long, default_value_t = 5.0)]
    stall: f64,
    /// Give up so many seconds after publishing has ended, even if more is arriving.
    #[arg(long, default_value_t = 10.0)]
    drain: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    scenario: &'static str,
    protocol: Protocol,
    readers_per_channel: usize,
    size: usize,
    /// Messages per second: offered, and taken by the server's socket.
    rate: u32,
    published_per_s: f64,
    published: u64,
    expected: u64,
    deliveries: u64,
    lost: u64,
    duplicated: u64,
    out_of_order: u64,
    skipped_untold: u64,
    closed_readers: usize,
    closed_publishers: usize,
    stalled: bool,
    cut_off: bool,
    wall_s: f64,
    server_cpu_s: f64,
    loadgen_cpu_s: f64,
    us_per_delivery: f64,
    latency_p50_us: u64,
    latency_p99_us: u64,
    latency_max_us: u64,
}

/// When each message of a rate is due.
#[derive(Debug, Clone, Copy)]
struct Schedule {
    begin: Instant,
    rate: u32,
    /// How many there are in all.
    all: u64,
}

#[derive(Debug)]
struct Round {
    fleet: Fleet,
    publisher: Publisher,
    readers: Vec<Reader>,
    /// Microseconds of each delivery.
    latencies: Vec<u64>,
    /// The socket has not taken all that was due.
    blocked: bool,
}

// === impl Latency ===

impl Latency {
    pub(crate) fn run(&self) -> Result<()> {
        ensure!(self.rates.iter().all(|&rate| rate > 0), "a rate is at least one per second");
        self.target.allow_connections(self.readers + 1)?;
        for (number, &rate) in (1..).zip(&self.rates) {
            report::print(&self.round(number, rate)?)?;
        }
        Ok(())
    }

    fn open(&self, number: u32) -> Result<Round> {
        let (protocol, names) = (self.target.protocol, Names::new(number));
        let mut fleet = self.target.fleet()?;
        let wish = || Wish { channel: Some(names.channel(0)), stuck: false };
        fleet.open((0..self.readers).map(|_| wish()))?;
        fleet.open([Wish::default()])?;
        let publisher = Publisher::new(protocol, self.readers, 0..1, names, self.size, BUFFER)?;
        let finder = Finder::new(protocol, publisher.shape());
        let readers = (0..self.readers).map(|_| Reader::new(0, finder, true)).collect();
        Ok(Round { fleet, publisher, readers, latencies: Vec::new(), blocked: false })
    }

    fn round(&self, number: u32, rate: u32) -> Result<Report> {
        let server = self.target.server();
        let mut round = self.open(number)?;
        self.target.settle_cpu(&mut round.fleet)?;
        let meter = Meter::start(&server)?;
        let (usage, end, sending) = self.measure(&mut round, meter, rate)?;
        round.latencies.sort_unstable();
        let tally = total(round.readers.iter().map(|reader| &reader.tally));
        let published = round.publisher.sent();
        let expected = published * self.readers as u64;
        let readers = &round.fleet.conns[..self.readers];
        Ok(Report {
            scenario: "latency",
            protocol: self.target.protocol,
            readers_per_channel: self.readers,
            size: self.size,
            rate,
            published_per_s: Usage { wall: sending, ..usage }.per_second(published),
            published,
            expected,
            deliveries: tally.delivered,
            lost: expected.saturating_sub(tally.delivered - tally.duplicated),
            duplicated: tally.duplicated,
            out_of_order: tally.out_of_order,
            skipped_untold: tally.skipped,
            closed_readers: readers.iter().filter(|conn| conn.closed.is_some()).count(),
            closed_publishers: usize::from(round.publisher.is_closed(&round.fleet)),
            stalled: end == End::Stalled,
            cut_off: end == End::CutOff,
            wall_s: seconds(usage.wall),
            server_cpu_s: seconds(usage.server),
            loadgen_cpu_s: seconds(usage.own),
            us_per_delivery: usage.micros_per(tally.delivered),
            latency_p50_us: quantile(&round.latencies, 50),
            latency_p99_us: quantile(&round.latencies, 99),
            latency_max_us: round.latencies.last().copied().unwrap_or(0),
        })
    }

    /// Also returns how long the server took to read the publications.
    fn measure(
        &self,
        round: &mut Round,
        mut meter: Meter<'_>,
        rate: u32,
    ) -> Result<(Usage, End, Duration)> {
        let schedule = Schedule::new(rate, self.seconds);
        let sending_for = Duration::from_secs_f64(self.seconds);
        let stall = Duration::from_secs_f64(self.stall);
        let cut_off_at = schedule.begin + sending_for + Duration::from_secs_f64(self.drain);
        let mut sent_after = None;
        let end = loop {
            let closed = round.publisher.is_closed(&round.fleet);
            if !closed {
                round.publish(schedule);
            }
            let sent = closed || round.publisher.sent() == schedule.all;
            if sent {
                sent_after.get_or_insert_with(|| schedule.begin.elapsed());
            }
            if sent && round.owed() == 0 {
                break End::Complete;
            }
            let progress = round.turn(schedule.wait(round.publisher.cycles))?;
            // A pause between two messages of a low rate is not a stall.
            let waits_for_time = round.owed() == 0 && !round.blocked;
            meter.note(progress || waits_for_time)?;
            if meter.since_progress() >= stall {
                break End::Stalled;
            }
            if Instant::now() >= cut_off_at {
                break End::CutOff;
            }
        };
        let sending = sent_after.unwrap_or_else(|| schedule.begin.elapsed()).max(sending_for);
        Ok((meter.finish(end)?, end, sending))
    }
}

// === impl Schedule ===

impl Schedule {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
    fn new(rate: u32, seconds: f64) -> Self {
        let all = (f64::from(rate) * seconds).round().max(1.0) as u64;
        Self { begin: Instant::now(), rate, all }
    }

    fn due_at(self, number: u64) -> Instant {
        self.begin + Duration::from_micros(number * 1_000_000 / u64::from(self.rate))
    }

    /// How many are due after `elapsed`: the first at once.
    fn due(self, elapsed: Duration) -> u64 {
        let whole = elapsed.as_micros() * u128::from(self.rate) / 1_000_000;
        u64::try_from(whole).map_or(self.all, |whole| self.all.min(whole + 1))
    }

    /// How long nothing has to be published if `done` messages have been.
    fn wait(self, done: u64) -> Duration {
        const TICK: Duration = Duration::from_millis(50);
        if done >= self.all {
            return TICK;
        }
        self.due_at(done).saturating_duration_since(Instant::now()).min(TICK)
    }
}

// === impl Round ===

impl Round {
    /// Writes the messages that are due. A message that the server was slow to take counts as sent
    /// when it was due, so that a server that takes little is not measured by that little; one that
    /// the load generator itself delayed counts as sent when it is.
    fn publish(&mut self, schedule: Schedule) {
        loop {
            if self.publisher.is_idle() {
                let due = schedule.due(schedule.begin.elapsed()) - self.publisher.cycles;
                if due == 0 {
                    self.blocked = false;
                    return;
                }
                if self.blocked {
                    let time = |cycle| message::time(schedule.due_at(cycle));
                    self.publisher.stamp_each(due, time);
                } else {
                    self.publisher.stamp(due);
                }
            }
            self.publisher.pump(&mut self.fleet);
            if !self.publisher.is_idle() {
                self.blocked = true;
                return;
            }
        }
    }

    /// Reads everything that has arrived; true if anything did.
    fn turn(&mut self, wait: Duration) -> Result<bool> {
        let (readers, latencies) = (&mut self.readers, &mut self.latencies);
        let before = latencies.len();
        self.fleet.turn(wait, |index, happening| {
            if let (Happening::Text(text), Some(reader)) = (happening, readers.get_mut(index))
                && let Some(sent_at) = reader.take_timed(text)
            {
                latencies.push(message::time(Instant::now()).saturating_sub(sent_at));
            }
        })?;
        Ok(latencies.len() > before)
    }

    /// Deliveries that have not come yet.
    fn owed(&self) -> u64 {
        let expected = self.publisher.sent() * self.readers.len() as u64;
        let accounted: u64 = self.readers.iter().map(Reader::accounted).sum();
        expected.saturating_sub(accounted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_at_even_distances() {
        let schedule = Schedule::new(500, 2.0);
        let due = [0, 1, 2, 3, 1999, 60_000].map(|ms| schedule.due(Duration::from_millis(ms)));
        assert_eq!(due, [1, 1, 2, 2, 1000, 1000]);
        assert_eq!(schedule.due_at(500) - schedule.begin, Duration::from_secs(1));
        assert_eq!(schedule.wait(1000), Duration::from_millis(50));
        assert!(schedule.wait(1) <= Duration::from_millis(2));
    }
}
