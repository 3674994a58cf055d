//! What is counted, and what is said when there is no room.
use std::{num::NonZeroU32, time::Duration};

use governor::Quota;
use quadrille_core::Limits;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Requests over HTTP that ask who the client is, handshakes included.
    Requests,
    /// Records to be published.
    Publishes,
    /// Messages of a client on a WebSocket, whatever they say.
    Frames,
    /// Tokens that cannot have been made by who signs tokens for here.
    BadTokens,
}

/// A payer has used up a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}; wait before sending more", .rate.excess())]
pub struct Exceeded {
    pub rate: Rate,
    /// After this there is room for one more, unless another connection of the payer takes it.
    pub retry_after: Duration,
}

// === impl Rate ===

impl Rate {
    pub(super) const ALL: [Self; 4] =
        [Self::Requests, Self::Publishes, Self::Frames, Self::BadTokens];

    /// Returns what there was too much of, for people.
    pub fn excess(self) -> &'static str {
        match self {
            Self::Requests => "too many requests",
            Self::Publishes => "too many publications",
            Self::Frames => "too many frames",
            Self::BadTokens => "too many bad tokens from this address",
        }
    }

    /// For metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Publishes => "publishes",
            Self::Frames => "frames",
            Self::BadTokens => "bad_tokens",
        }
    }

    pub(super) fn of(self, limits: &Limits) -> u32 {
        match self {
            Self::Requests => limits.requests_per_second,
            Self::Publishes => limits.publishes_per_second,
            Self::Frames => limits.frames_per_second,
            Self::BadTokens => limits.bad_tokens_per_minute,
        }
    }

    pub(super) fn quota(self, rate: NonZeroU32) -> Quota {
        match self {
            Self::BadTokens => Quota::per_minute(rate),
            _ => Quota::per_second(rate),
        }
    }
}
