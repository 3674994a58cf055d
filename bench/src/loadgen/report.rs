//! Measuring a round, and the line of JSON that tells of it.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::proc::{Server, own_cpu};
use crate::protocol::Protocol;
use crate::reader::Tally;

/// How often CPU time is read while a round runs.
const EVERY: Duration = Duration::from_millis(50);

/// Cost of a round up to its last progress.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) wall: Duration,
    pub(crate) server: Duration,
    pub(crate) own: Duration,
}

impl Usage {
    /// Microseconds of server CPU per `count`.
    pub(crate) fn micros_per(self, count: u64) -> f64 {
        round(self.server.as_secs_f64() * 1e6 / float(count.max(1)))
    }

    pub(crate) fn per_second(self, count: u64) -> f64 {
        round(float(count) / self.wall.as_secs_f64().max(1e-9))
    }
}

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Complete,
    Stalled,
    CutOff,
}

/// Follows a round, so that the wait for a stall is not counted as work.
#[derive(Debug)]
pub(crate) struct Meter<'a> {
    server: &'a Server,
    begin: Sample,
    last: Sample,
    progress: Instant,
    stale: bool,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    server: Duration,
    own: Duration,
}

impl Sample {
    fn take(server: &Server) -> Result<Self> {
        Ok(Self { at: Instant::now(), server: server.cpu()?, own: own_cpu()? })
    }
}

impl<'a> Meter<'a> {
    pub(crate) fn start(server: &'a Server) -> Result<Self> {
        let begin = Sample::take(server)?;
        Ok(Self { server, begin, last: begin, progress: begin.at, stale: false })
    }

    /// Notes whether there was progress since the last call.
    pub(crate) fn note(&mut self, progress: bool) -> Result<()> {
        let now = Instant::now();
        if progress {
            self.progress = now;
            self.stale = true;
        }
        if self.stale && now - self.last.at >= EVERY {
            self.last = Sample::take(self.server)?;
            self.stale = false;
        }
        Ok(())
    }

    pub(crate) fn since_progress(&self) -> Duration {
        self.progress.elapsed()
    }

    /// Ends the round: now, or, if it has stalled, where it last moved.
    pub(crate) fn finish(self, how: End) -> Result<Usage> {
        let end = if how == End::Stalled { self.last } else { Sample::take(self.server)? };
        Ok(Usage {
            wall: end.at - self.begin.at,
            server: end.server.saturating_sub(self.begin.server),
            own: end.own.saturating_sub(self.begin.own),
        })
    }
}

/// One round of `fanout`, `channels` or `stuck`, of the readers that read.
#[derive(Debug, Serialize)]
pub(crate) struct BroadcastReport {
    pub(crate) scenario: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) mode: &'static str,
    pub(crate) round: u32,
    pub(crate) channels: usize,
    pub(crate) readers_per_channel: usize,
    pub(crate) publishers: usize,
    pub(crate) size: usize,
    pub(crate) published: u64,
    pub(crate) expected: u64,
    pub(crate) deliveries: u64,
    pub(crate) lost: u64,
    /// Lost records that gap frames told of.
    pub(crate) missed_told: u64,
    pub(crate) gap_frames: u64,
    pub(crate) other_frames: u64,
    /// Readers whose order was checked; the next three count among them only.
    pub(crate) checked_readers: usize,
    pub(crate) duplicated: u64,
    pub(crate) out_of_order: u64,
    pub(crate) skipped_untold: u64,
    /// Readers that the server has closed, and publishers.
    pub(crate) closed_readers: usize,
    pub(crate) closed_publishers: usize,
    /// The round was ended because nothing more came.
    pub(crate) stalled: bool,
    /// The round was ended although more was coming; the missing deliveries count as lost.
    pub(crate) cut_off: bool,
    pub(crate) wall_s: f64,
    pub(crate) server_cpu_s: f64,
    pub(crate) loadgen_cpu_s: f64,
    pub(crate) us_per_delivery: f64,
    pub(crate) us_per_publication: f64,
    pub(crate) deliveries_per_s: f64,
    pub(crate) rss_before_kib: u64,
    pub(crate) rss_after_kib: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stuck: Option<StuckReport>,
}

/// Readers that did not read, once they did.
#[derive(Debug, Serialize)]
pub(crate) struct StuckReport {
    pub(crate) readers: usize,
    /// Growth of the server's resident memory while they did not read.
    pub(crate) rss_growth_kib: i64,
    pub(crate) deliveries: u64,
    pub(crate) lost: u64,
    pub(crate) missed_told: u64,
    pub(crate) gap_frames: u64,
    /// Readers that got at least one gap frame.
    pub(crate) told_readers: usize,
    pub(crate) other_frames: u64,
    pub(crate) out_of_order: u64,
    pub(crate) skipped_untold: u64,
    pub(crate) closed_readers: usize,
    /// The close codes they got, 0 for none.
    pub(crate) close_codes: Vec<u16>,
    /// Seconds from reading again to the last frame.
    pub(crate) catch_up_s: f64,
    pub(crate) rss_after_release_kib: u64,
}

/// Adds up tallies.
pub(crate) fn total<'a>(tallies: impl IntoIterator<Item = &'a Tally>) -> Tally {
    tallies.into_iter().fold(Tally::default(), |mut sum, tally| {
        sum.add(tally);
        sum
    })
}

/// Prints one report as a line of JSON.
pub(crate) fn print(report: &impl Serialize) -> Result<()> {
    let line = serde_json::to_string(report).context("a report is not JSON")?;
    writeln!(io::stdout().lock(), "{line}").context("cannot write the report")
}

/// Seconds, to four places.
pub(crate) fn seconds(duration: Duration) -> f64 {
    round(duration.as_secs_f64())
}

/// The value below which `percent` of the sorted values are; 0 if there are none.
pub(crate) fn quantile(sorted: &[u64], percent: usize) -> u64 {
    sorted.get(sorted.len() * percent / 100).or(sorted.last()).copied().unwrap_or(0)
}

/// Four places are finer than anything measured here.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_few_values_are_among_them() {
        let hundred: Vec<u64> = (0..100).collect();
        assert_eq!([50, 99, 100].map(|percent| quantile(&hundred, percent)), [50, 99, 99]);
        assert_eq!((quantile(&[7], 50), quantile(&[], 99)), (7, 0));
    }
}
