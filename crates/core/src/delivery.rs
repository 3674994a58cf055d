//! Deliveries to a subscriber, and where a subscription starts.
use crate::{Close, Position, Topic, event::Record};

/// A protocol's own note on a subscription; comes back with each delivery of it.
pub type Tag = u32;

/// Where a subscription starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// With the next record, after a snapshot of the turn that runs.
    Now,
    /// With the oldest record that is held.
    Start,
    /// With the record after this one.
    After(Position),
    /// The same, after a snapshot of the turn that runs, if that began before: for a reader that knows
    /// what is up to here, but for that turn.
    Fresh(Position),
}

impl Since {
    /// The position after which it starts, if it names one.
    pub fn position(self) -> Option<Position> {
        match self {
            Self::After(at) | Self::Fresh(at) => Some(at),
            Self::Now | Self::Start => None,
        }
    }
}

/// One thing to tell a connection.
#[derive(Debug)]
pub enum Delivery {
    Record(Record, Tag),
    /// Records are gone for this subscriber; delivery goes on after it.
    Gap(Box<Gap>, Tag),
    /// The topic was deleted, and is followed no more. Its last records came before this.
    Deleted(Topic, Tag),
    /// The connection is too slow for a topic that ends such connections.
    End(Close),
}

/// Records that a subscriber will not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub topic: Topic,
    /// Number of records; `None` if it is unknown: the log is another one, or coalesced them.
    pub missed: Option<u64>,
    /// Delivery goes on with a record after this one. If a snapshot comes next, this is where the
    /// subscriber was, and resuming there brings both again.
    pub at: Position,
}

/// Upper bounds of one batch. The last record may exceed `bytes`.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimit {
    pub records: usize,
    pub bytes: usize,
}

impl BatchLimit {
    /// Counts one record of `size` bytes. False if the batch is full already.
    pub(crate) fn take(&mut self, size: usize) -> bool {
        let fits = !self.is_full();
        if fits {
            self.records -= 1;
            self.bytes = self.bytes.saturating_sub(size);
        }
        fits
    }

    pub(crate) fn fill(&mut self) {
        self.records = 0;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.records == 0 || self.bytes == 0
    }
}
