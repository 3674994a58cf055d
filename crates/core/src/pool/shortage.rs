//! Refusals of a pool.

/// Why a pool has nothing to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shortage {
    /// All units are taken.
    #[error("all places are taken")]
    Full,
    /// The holder has its share; others may still get theirs.
    #[error("this user holds its share of the places")]
    Share,
    /// Clients without a token hold all that they may hold together.
    #[error("too many clients without a token")]
    Strangers,
}

impl Shortage {
    /// Label for metrics.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Share => "share",
            Self::Strangers => "strangers",
        }
    }
}
