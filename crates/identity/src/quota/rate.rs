//! The rates, and the errors when one is exceeded.
use std::time::Duration;

use quadrille_core::Limits;

/// A rate of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Requests over HTTP that authenticate a client, handshakes included.
    Requests,
    /// Records to be published.
    Publishes,
    /// Messages of a client on a WebSocket, whatever they say.
    Frames,
    /// Tokens that cannot come from the issuer.
    BadTokens,
}

/// A payer has used up a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}; wait before sending more", .rate.excess())]
pub struct Exceeded {
    pub rate: Rate,
    /// Time until there is room for one more, unless another connection of the payer takes it.
    pub retry_after: Duration,
}

// === impl Rate ===

impl Rate {
    pub(super) const ALL: [Self; 4] =
        [Self::Requests, Self::Publishes, Self::Frames, Self::BadTokens];

    /// Title of the error, for people.
    pub fn excess(self) -> &'static str {
        match self {
            Self::Requests => "too many requests",
            Self::Publishes => "too many publications",
            Self::Frames => "too many frames",
            Self::BadTokens => "too many bad tokens from this address",
        }
    }

    /// Label for metrics.
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

    /// Time to which the limit applies.
    pub(super) fn period(self) -> Duration {
        match self {
            Self::BadTokens => Duration::from_mins(1),
            Self::Requests | Self::Publishes | Self::Frames => Duration::from_secs(1),
        }
    }
}
