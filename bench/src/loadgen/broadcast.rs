//! One round of publishing to many readers: the engine of `fanout`, `channels` and `stuck`.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::conn::Wish;
use crate::fleet::{Fleet, Happening};
use crate::message::Names;
use crate::proc::Server;
use crate::protocol::Finder;
use crate::publisher::Publisher;
use crate::reader::{Reader, Tally};
use crate::report::{BroadcastReport, End, Meter, Usage, seconds, total};

/// How long one wait for events lasts at most.
const TICK: Duration = Duration::from_millis(50);
/// A publisher's buffer: about one write.
const BUFFER: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Publishers write as fast as their sockets take it.
    Saturated,
    /// One message to every channel; the next when all readers have it.
    Paced,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Saturated => "saturated",
            Self::Paced => "paced",
        }
    }
}

/// End of publishing, and the checks.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Load {
    #[arg(long, value_enum, default_value_t = Mode::Saturated)]
    pub(crate) mode: Mode,
    /// Bytes of one publication, the whole JSON text.
    #[arg(long, default_value_t = 256)]
    size: usize,
    /// Publish for this long, then wait for the rest to arrive.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Publish this many messages to each channel instead.
    #[arg(long)]
    messages: Option<u64>,
    /// In saturated mode, at most this many messages per channel on their way; 0 for no limit.
    #[arg(long, default_value_t = 0)]
    window: u64,
    /// Give up when nothing has arrived for this many seconds.
    #[arg(long, default_value_t = 5.0)]
    stall: f64,
    /// Give up so many seconds after publishing has ended, even if more is arriving.
    #[arg(long, default_value_t = 60.0)]
    drain: f64,
    /// Readers whose every sequence number is checked; the first ones of all channels.
    #[arg(long, default_value_t = 8)]
    check: usize,
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: u32,
}

/// Connections of a round. `readers` and `stuck` are per channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cast {
    pub(crate) channels: usize,
    pub(crate) readers: usize,
    pub(crate) stuck: usize,
    pub(crate) publishers: usize,
}

impl Cast {
    pub(crate) fn connections(self) -> usize {
        self.channels * (self.readers + self.stuck) + self.publishers
    }
}

/// A round with all its connections open. Reader `i` is connection `i`; the stuck ones come last.
#[derive(Debug)]
pub(crate) struct Broadcast<'a> {
    server: &'a Server,
    cast: Cast,
    load: Load,
    pub(crate) fleet: Fleet,
    readers: Vec<Reader>,
    publishers: Vec<Publisher>,
    /// Deliveries to the healthy readers, and losses they were told of.
    accounted: u64,
}

impl<'a> Broadcast<'a> {
    /// Opens all connections and subscribes the readers.
    pub(crate) fn open(
        server: &'a Server,
        mut fleet: Fleet,
        cast: Cast,
        load: Load,
        round: u32,
    ) -> Result<Self> {
        if cast.channels == 0 || cast.publishers == 0 || cast.publishers > cast.channels {
            bail!("there must be at least one channel for each publisher, and one publisher");
        }
        let (names, protocol) = (Names::new(round), fleet.protocol);
        let mut publishers = Vec::new();
        let first = cast.channels * (cast.readers + cast.stuck);
        for number in 0..cast.publishers {
            let share = |number| number * cast.channels / cast.publishers;
            let channels = share(number)..share(number + 1);
            let conn = first + number;
            publishers.push(Publisher::new(protocol, conn, channels, names, load.size, BUFFER)?);
        }
        let healthy = cast.channels * cast.readers;
        let finder = Finder::new(protocol, publishers[0].shape());
        let readers: Vec<Reader> = (0..first)
            .map(|i| Reader::new(i % cast.channels, finder, i < load.check || i >= healthy))
            .collect();
        fleet.open((0..first).map(|i| Wish {
            channel: Some(names.channel(i % cast.channels)),
            stuck: i >= healthy,
        }))?;
        fleet.open((0..cast.publishers).map(|_| Wish::default()))?;
        Ok(Self { server, cast, load, fleet, readers, publishers, accounted: 0 })
    }

    /// Publishes, waits for the deliveries, and reports their cost.
    pub(crate) fn run(&mut self, scenario: &'static str, round: u32) -> Result<BroadcastReport> {
        let rss_before_kib = self.server.resident_kib()?;
        let (usage, end) = self.measure()?;
        let healthy = self.healthy();
        let tally = total(self.readers[..healthy].iter().map(|reader| &reader.tally));
        let published = self.published();
        let expected = self.expected(0..healthy);
        Ok(BroadcastReport {
            scenario,
            protocol: self.fleet.protocol,
            mode: self.load.mode.name(),
            round,
            channels: self.cast.channels,
            readers_per_channel: self.cast.readers,
            publishers: self.cast.publishers,
            size: self.load.size,
            published,
            expected,
            deliveries: tally.delivered,
            lost: expected.saturating_sub(tally.delivered - tally.duplicated),
            missed_told: tally.missed,
            gap_frames: tally.gaps,
            other_frames: tally.other,
            checked_readers: self.load.check.min(healthy),
            duplicated: tally.duplicated,
            out_of_order: tally.out_of_order,
            skipped_untold: tally.skipped,
            closed_readers: self.close_codes(0..healthy).len(),
            closed_publishers: self.closed_publishers(),
            stalled: end == End::Stalled,
            cut_off: end == End::CutOff,
            wall_s: seconds(usage.wall),
            server_cpu_s: seconds(usage.server),
            loadgen_cpu_s: seconds(usage.own),
            us_per_publication: usage.micros_per(published),
            us_per_delivery: usage.micros_per(tally.delivered),
            deliveries_per_s: usage.per_second(tally.delivered),
            rss_before_kib,
            rss_after_kib: self.server.resident_kib()?,
            stuck: None,
        })
    }

    fn measure(&mut self) -> Result<(Usage, End)> {
        let mut meter = Meter::start(self.server)?;
        let until = Instant::now() + Duration::from_secs_f64(self.load.seconds);
        let stall = Duration::from_secs_f64(self.load.stall);
        let drain = Duration::from_secs_f64(self.load.drain);
        let mut published = None;
        let end = loop {
            let left = match self.load.messages {
                Some(messages) => messages.saturating_sub(self.publishers[0].cycles),
                None if Instant::now() < until => u64::MAX,
                None => 0,
            };
            let more = self.publish(left);
            let done =
                self.closed_publishers() == self.publishers.len() || left == 0 && self.are_idle();
            if done && self.owed() == 0 {
                break End::Complete;
            }
            let progress = self.turn(if more { Duration::ZERO } else { TICK })?;
            meter.note(progress)?;
            if meter.since_progress() >= stall {
                break End::Stalled;
            }
            if left == 0 && published.get_or_insert_with(Instant::now).elapsed() >= drain {
                break End::CutOff;
            }
        };
        Ok((meter.finish(end)?, end))
    }

    /// Lets every publisher go on; true if one could write more at once.
    fn publish(&mut self, left: u64) -> bool {
        let may_stamp = match self.load.mode {
            Mode::Paced => self.owed() == 0 && self.are_idle(),
            Mode::Saturated if self.load.window == 0 => true,
            Mode::Saturated => self.owed() <= self.load.window * self.healthy() as u64,
        };
        let mut more = false;
        let fleet = &mut self.fleet;
        for publisher in &mut self.publishers {
            if publisher.is_closed(fleet) {
                continue;
            }
            if publisher.is_idle() && may_stamp && left > 0 {
                publisher.stamp(if self.load.mode == Mode::Paced { 1 } else { left });
            }
            if !publisher.is_idle() {
                publisher.pump(fleet);
                more |= publisher.is_idle() && publisher.is_writable(fleet);
            }
        }
        more && self.load.mode == Mode::Saturated
    }

    /// Reads everything that has arrived; true if anything did.
    fn turn(&mut self, wait: Duration) -> Result<bool> {
        let healthy = self.healthy();
        let (readers, accounted) = (&mut self.readers, &mut self.accounted);
        let mut progress = false;
        self.fleet.turn(wait, |index, happening| {
            if let (Happening::Text(text), Some(reader)) = (happening, readers.get_mut(index)) {
                let count = reader.take(text);
                progress = true;
                if index < healthy {
                    *accounted += count;
                }
            }
        })?;
        Ok(progress)
    }

    /// Lets the stuck readers read until they are up to date, closed or get nothing more.
    pub(crate) fn release(&mut self) -> Result<Usage> {
        let stuck = self.healthy()..self.readers.len();
        let stall = Duration::from_secs_f64(self.load.stall);
        let mut meter = Meter::start(self.server)?;
        for index in stuck.clone() {
            let reader = &mut self.readers[index];
            self.fleet.release(index, |text| {
                reader.take(text);
            })?;
        }
        loop {
            let progress = self.turn(TICK)?;
            meter.note(progress)?;
            let behind = stuck.clone().any(|index| {
                let reader = &self.readers[index];
                self.fleet.conns[index].closed.is_none()
                    && reader.accounted() < self.sent_to(reader.channel)
            });
            if !behind || meter.since_progress() >= stall {
                return meter.finish(if behind { End::Stalled } else { End::Complete });
            }
        }
    }

    pub(crate) fn healthy(&self) -> usize {
        self.cast.channels * self.cast.readers
    }

    pub(crate) fn tallies(&self) -> Vec<Tally> {
        self.readers.iter().map(|reader| reader.tally).collect()
    }

    /// Nothing that is due waits to be written.
    fn are_idle(&self) -> bool {
        self.publishers.iter().all(Publisher::is_idle)
    }

    fn closed_publishers(&self) -> usize {
        self.publishers.iter().filter(|publisher| publisher.is_closed(&self.fleet)).count()
    }

    fn published(&self) -> u64 {
        self.publishers.iter().map(Publisher::sent).sum()
    }

    /// Deliveries that the healthy readers have not had yet.
    fn owed(&self) -> u64 {
        (self.published() * self.cast.readers as u64).saturating_sub(self.accounted)
    }

    fn sent_to(&self, channel: usize) -> u64 {
        self.publishers.iter().map(|publisher| publisher.sent_to(channel)).sum()
    }

    /// Deliveries due to these readers in all.
    pub(crate) fn expected(&self, readers: std::ops::Range<usize>) -> u64 {
        self.readers[readers].iter().map(|reader| self.sent_to(reader.channel)).sum()
    }

    /// The close codes of the readers that the server has closed.
    pub(crate) fn close_codes(&self, readers: std::ops::Range<usize>) -> Vec<u16> {
        self.fleet.conns[readers].iter().filter_map(|conn| conn.closed).collect()
    }
}
