//! A part of a log, as one answer shows it.
use crate::{Position, Since, event::Record};

/// A part of a log.
#[derive(Debug)]
pub struct History {
    pub records: Vec<Record>,
    /// Records after the requested position are gone.
    pub gap: bool,
    /// Where the log stands.
    pub at: Position,
}

// === impl History ===

impl History {
    /// Bytes of the records in one answer, at most, unless its only record has more.
    pub const BYTES: usize = 2 << 20;

    /// Keeps what one answer may hold: the newest records, or with a position in `since` those that
    /// come first after it.
    #[must_use]
    pub fn page(mut self, since: Since) -> Self {
        let mut left = Self::BYTES;
        let fits = |it: &&Record| {
            let fits = it.size() <= left || left == Self::BYTES;
            left = left.saturating_sub(it.size());
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
