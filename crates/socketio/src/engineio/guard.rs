//! A request of a session that polls, while it is under way.
use std::sync::Arc;

use quadrille_core::Close;

use super::{
    handler::Handler,
    slot::Slot,
    work::{BeginError, RequestKind},
};

/// A request under way; dropping it ends it. A poll that is dropped before it was answered ends the
/// session, as in the original server: its client has given up, and opens another one.
pub(super) struct Guard<H: Handler> {
    slot: Arc<Slot<H>>,
    work: RequestKind,
    is_probed: bool,
    is_answered: bool,
}

impl<H: Handler> Guard<H> {
    /// Begins a request, unless one of its kind is under way, or the client was silent for too
    /// long.
    pub(super) fn begin(slot: &Arc<Slot<H>>, work: RequestKind) -> Result<Self, BeginError> {
        let is_probed = slot.begin(work)?;
        Ok(Self { slot: Arc::clone(slot), work, is_probed, is_answered: false })
    }

    /// Whether a WebSocket was probing the session already when the request came.
    pub(super) fn is_probed(&self) -> bool {
        self.is_probed
    }

    /// Ends a poll that has its answer.
    pub(super) fn answered(mut self) {
        self.is_answered = true;
    }
}

impl<H: Handler> Drop for Guard<H> {
    fn drop(&mut self) {
        if self.work == RequestKind::Reading && !self.is_answered {
            self.slot.close(&Close::NORMAL);
        }
        self.slot.finish(self.work);
        if self.work == RequestKind::Reading {
            self.slot.watch();
        }
    }
}
