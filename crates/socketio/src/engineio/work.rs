//! The kinds of requests of a session that polls, of each of which one is handled at a time.

/// Requests that are under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Busy {
    pub(super) reading: bool,
    pub(super) writing: bool,
    pub(super) probing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Reading,
    Writing,
    Probing,
}

/// Why a request cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unavailable {
    /// The session has ended, or goes on as a WebSocket.
    Gone,
    /// Another request of the kind is under way.
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
