//! A part of a log, within the bound on one answer.
use crate::{Position, Since, event::Record};

/// A part of a log.
#[derive(Debug)]
pub struct History {
    pub records: Vec<Record>,
    /// Records after the requested position are gone.
    pub gap: bool,
    /// Position of the newest record.
    pub at: Position,
}

// === impl History ===

impl History {
    /// Bytes of the records in one answer, at most, unless its only record has more.
    pub const BYTES: usize = 2 << 20;

    /// Keeps as many records as one answer may hold: the newest, or with a position in `since` those
    /// that come first after it.
    #[must_use]
    pub fn page(mut self, since: Since) -> Self {
        let mut left = Self::BYTES;
        let fits = |record: &&Record| {
            let fits = record.size() <= left || left == Self::BYTES;
            left = left.saturating_sub(record.size());
            fits
        };
        if matches!(since, Since::Now) {
            let kept = self.records.iter().rev().take_while(fits).count();
            self.records.drain(..self.records.len() - kept);
        } else {
            let kept = self.records.iter().take_while(fits).count();
            self.records.truncate(kept);
        }
        self
    }
}
