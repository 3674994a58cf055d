//! Requests of one session that polls, of each kind one at a time.
use std::sync::Arc;

use quadrille_core::Close;

use super::sessions::Slot;

/// Requests that are under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Busy {
    pub(super) reading: bool,
    pub(super) writing: bool,
    pub(super) probing: bool,
}

/// What a session can be at, once at a time each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Reading,
    Writing,
    Probing,
}

/// A request under way; dropping it ends it. A poll that is dropped before it was answered ends the
/// session, as in the original server: its client has given up, and opens another one.
#[derive(Debug)]
pub(super) struct Guard {
    slot: Arc<Slot>,
    work: Work,
    is_probed: bool,
    is_answered: bool,
}

/// The session is gone, or is at such a request already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Gone,
    Overlap,
}

impl Busy {
    pub(super) fn flag(&mut self, work: Work) -> &mut bool {
        match work {
            Work::Reading => &mut self.reading,
            Work::Writing => &mut self.writing,
            Work::Probing => &mut self.probing,
        }
    }
}

impl Guard {
    pub(super) fn new(slot: &Arc<Slot>, work: Work, is_probed: bool) -> Self {
        Self { slot: Arc::clone(slot), work, is_probed, is_answered: false }
    }

    /// Whether a WebSocket was probing the session already when the request came.
    pub(super) fn is_probed(&self) -> bool {
        self.is_probed
    }

    /// The poll has its answer.
    pub(super) fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.work == Work::Reading && !self.is_answered {
            self.slot.close(&Close::NORMAL);
        }
        self.slot.finish(self.work);
        if self.work == Work::Reading {
            self.slot.watch();
        }
    }
}
