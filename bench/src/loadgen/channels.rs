//! `channels`: many channels with a few readers each, shared out among several publishers.

use anyhow::Result;

use crate::broadcast::{Cast, Load};
use crate::fanout::rounds;
use crate::target::Target;

#[derive(Debug, clap::Args)]
pub(crate) struct Channels {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    load: Load,
    /// How many channels.
    #[arg(long = "channels", value_name = "N", default_value_t = 1000)]
    count: usize,
    /// Subscribers of each channel.
    #[arg(long, default_value_t = 2)]
    readers: usize,
    /// Publishing connections; each writes to its share of the channels in turn.
    #[arg(long, default_value_t = 16)]
    publishers: usize,
}

impl Channels {
    pub(crate) fn run(&self) -> Result<()> {
        let cast = Cast {
            channels: self.count,
            readers: self.readers,
            stuck: 0,
            publishers: self.publishers,
        };
        rounds("channels", &self.target, cast, self.load)
    }
}
