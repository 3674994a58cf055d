//! `roundtrip`: pairs that publish, wait for the delivery, and publish again.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::conn::Wish;
use crate::fleet::{Fleet, Happening};
use crate::message::Names;
use crate::protocol::Finder;
use crate::publisher::Publisher;
use crate::reader::Reader;
use crate::report::{self, End, Meter, quantile, seconds, total};
use crate::target::Target;

#[derive(Debug, clap::Args)]
pub(crate) struct Roundtrip {
    #[command(flatten)]
    target: Target,
    /// Pairs of a publisher and a subscriber, each with its own channel and one message on its way.
    #[arg(long, default_value_t = 64)]
    inflight: usize,
    /// Bytes of one publication, the whole JSON text.
    #[arg(long, default_value_t = 256)]
    size: usize,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Give up when nothing has arrived for this many seconds.
    #[arg(long, default_value_t = 5.0)]
    stall: f64,
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

#[derive(Debug, Serialize)]
struct Report {
    scenario: &'static str,
    round: u32,
    inflight: usize,
    size: usize,
    round_trips: u64,
    lost: u64,
    duplicated: u64,
    out_of_order: u64,
    other_frames: u64,
    stalled: bool,
    wall_s: f64,
    server_cpu_s: f64,
    loadgen_cpu_s: f64,
    us_per_round_trip: f64,
    round_trips_per_s: f64,
    latency_p50_us: u64,
    latency_p99_us: u64,
    latency_max_us: u64,
}

/// A pair: `reader` is connection `i`, `publisher` the one `inflight` after it.
#[derive(Debug)]
struct Pair {
    reader: Reader,
    publisher: Publisher,
    sent_at: Instant,
}

impl Roundtrip {
    pub(crate) fn run(&self) -> Result<()> {
        self.target.allow_connections(self.inflight * 2)?;
        for round in 1..=self.rounds {
            report::print(&self.round(round)?)?;
        }
        Ok(())
    }

    fn open(&self, names: Names, fleet: &mut Fleet) -> Result<Vec<Pair>> {
        fleet.open(
            (0..self.inflight).map(|i| Wish { channel: Some(names.channel(i)), stuck: false }),
        )?;
        fleet.open((0..self.inflight).map(|_| Wish::default()))?;
        let sent_at = Instant::now();
        let pair = |i| {
            let (protocol, conn) = (self.target.protocol, self.inflight + i);
            let publisher = Publisher::new(protocol, conn, i..i + 1, names, self.size, 0)?;
            let reader = Reader::new(i, Finder::new(protocol, publisher.shape()), true);
            Ok(Pair { reader, publisher, sent_at })
        };
        (0..self.inflight).map(pair).collect()
    }

    fn round(&self, round: u32) -> Result<Report> {
        const TICK: Duration = Duration::from_millis(50);
        let server = self.target.server();
        let mut fleet = self.target.fleet()?;
        let mut pairs = self.open(Names::new(round), &mut fleet)?;
        self.target.settle_cpu(&mut fleet)?;

        let mut latencies: Vec<u64> = Vec::new();
        let mut due: Vec<usize> = (0..self.inflight).collect();
        let mut on_the_way = 0;
        let mut meter = Meter::start(&server)?;
        let until = Instant::now() + Duration::from_secs_f64(self.seconds);
        let stall = Duration::from_secs_f64(self.stall);
        let end = loop {
            if Instant::now() < until {
                for index in due.drain(..) {
                    let pair = &mut pairs[index];
                    pair.publisher.stamp(1);
                    pair.sent_at = Instant::now();
                    pair.publisher.pump(&mut fleet);
                    on_the_way += 1;
                }
            }
            if on_the_way == 0 {
                break End::Complete;
            }
            let before = latencies.len();
            fleet.turn(TICK, |index, happening| {
                if let (Happening::Text(text), Some(pair)) = (happening, pairs.get_mut(index))
                    && pair.reader.take(text) > 0
                {
                    let micros = pair.sent_at.elapsed().as_micros();
                    latencies.push(u64::try_from(micros).unwrap_or(u64::MAX));
                    due.push(index);
                    on_the_way -= 1;
                }
            })?;
            meter.note(latencies.len() > before)?;
            if meter.since_progress() >= stall {
                break End::Stalled;
            }
        };
        let usage = meter.finish(end)?;
        latencies.sort_unstable();
        let sent: u64 = pairs.iter().map(|pair| pair.publisher.sent()).sum();
        let tally = total(pairs.iter().map(|pair| &pair.reader.tally));
        Ok(Report {
            scenario: "roundtrip",
            round,
            inflight: self.inflight,
            size: self.size,
            round_trips: tally.delivered,
            lost: sent.saturating_sub(tally.delivered),
            duplicated: tally.duplicated,
            out_of_order: tally.out_of_order,
            other_frames: tally.other + tally.gaps,
            stalled: end == End::Stalled,
            wall_s: seconds(usage.wall),
            server_cpu_s: seconds(usage.server),
            loadgen_cpu_s: seconds(usage.own),
            us_per_round_trip: usage.micros_per(tally.delivered),
            round_trips_per_s: usage.per_second(tally.delivered),
            latency_p50_us: quantile(&latencies, 50),
            latency_p99_us: quantile(&latencies, 99),
            latency_max_us: latencies.last().copied().unwrap_or(0),
        })
    }
}
