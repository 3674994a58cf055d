//! `fanout`: one publisher, one channel, many readers. The rounds are those of `channels` too.

use anyhow::Result;

use crate::broadcast::{Broadcast, Cast, Load};
use crate::report;
use crate::target::Target;

#[derive(Debug, clap::Args)]
pub(crate) struct Fanout {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    load: Load,
    /// Subscribers of the one channel.
    #[arg(long, default_value_t = 500)]
    readers: usize,
}

impl Fanout {
    pub(crate) fn run(&self) -> Result<()> {
        let cast = Cast { channels: 1, readers: self.readers, stuck: 0, publishers: 1 };
        rounds("fanout", &self.target, cast, self.load)
    }
}

/// Measures and prints every round, each with connections and channels of its own.
pub(crate) fn rounds(
    scenario: &'static str,
    target: &Target,
    cast: Cast,
    load: Load,
) -> Result<()> {
    target.allow_connections(cast.connections())?;
    let server = target.server();
    for round in 1..=load.rounds {
        let fleet = target.fleet()?;
        let mut broadcast = Broadcast::open(&server, fleet, cast, load, round)?;
        target.settle_cpu(&mut broadcast.fleet)?;
        report::print(&broadcast.run(scenario, round)?)?;
    }
    Ok(())
}
