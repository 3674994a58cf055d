//! `stuck`: fan-out beside readers that do not read, and the frames that they get once they do.

use anyhow::Result;

use crate::broadcast::{Broadcast, Cast, Load};
use crate::report::{self, StuckReport, seconds, total};
use crate::target::Target;

#[derive(Debug, clap::Args)]
pub(crate) struct Stuck {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    load: Load,
    /// Subscribers that read.
    #[arg(long, default_value_t = 50)]
    readers: usize,
    /// Subscribers that do not read until the others have everything.
    #[arg(long = "stuck", value_name = "N", default_value_t = 10)]
    silent: usize,
}

impl Stuck {
    pub(crate) fn run(&self) -> Result<()> {
        let cast = Cast { channels: 1, readers: self.readers, stuck: self.silent, publishers: 1 };
        self.target.allow_connections(cast.connections())?;
        let server = self.target.server();
        for round in 1..=self.load.rounds {
            let fleet = self.target.fleet()?;
            let mut broadcast = Broadcast::open(&server, fleet, cast, self.load, round)?;
            self.target.settle_cpu(&mut broadcast.fleet)?;
            let mut report = broadcast.run("stuck", round)?;
            let growth =
                i64::try_from(report.rss_after_kib)? - i64::try_from(report.rss_before_kib)?;
            let released = broadcast.release()?;

            let stuck = broadcast.healthy()..broadcast.healthy() + self.silent;
            let tallies = &broadcast.tallies()[stuck.clone()];
            let tally = total(tallies);
            let close_codes = broadcast.close_codes(stuck.clone());
            report.stuck = Some(StuckReport {
                readers: self.silent,
                rss_growth_kib: growth,
                deliveries: tally.delivered,
                lost: broadcast.expected(stuck).saturating_sub(tally.delivered),
                missed_told: tally.missed,
                gap_frames: tally.gaps,
                told_readers: tallies.iter().filter(|tally| tally.gaps > 0).count(),
                other_frames: tally.other,
                out_of_order: tally.out_of_order,
                skipped_untold: tally.skipped,
                closed_readers: close_codes.len(),
                close_codes,
                catch_up_s: seconds(released.wall),
                rss_after_release_kib: server.resident_kib()?,
            });
            report::print(&report)?;
        }
        Ok(())
    }
}
