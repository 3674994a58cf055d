//! The kinds of requests of a session that polls, of each of which one is handled at a time.

/// Requests that are under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BusyFlags {
    pub(super) reading: bool,
    pub(super) writing: bool,
    pub(super) probing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestKind {
    Reading,
    Writing,
    Probing,
}

/// Why a request cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BeginError {
    /// The session has ended, or goes on as a WebSocket.
    Gone,
    /// Another request of the kind is under way.
    Overlap,
}

impl BusyFlags {
    pub(super) fn flag(&mut self, work: RequestKind) -> &mut bool {
        match work {
            RequestKind::Reading => &mut self.reading,
            RequestKind::Writing => &mut self.writing,
            RequestKind::Probing => &mut self.probing,
        }
    }
}
