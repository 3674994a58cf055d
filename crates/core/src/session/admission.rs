//! A connection at the door, and why it may not be opened.
use std::{net::IpAddr, sync::Arc, time::Duration};

use http::StatusCode;

use crate::{Holder, Problem, Shortage};

/// What a connection says of itself at the door.
#[derive(Clone, Debug)]
pub struct Admission {
    pub protocol: &'static str,
    pub user: Option<Arc<str>>,
    /// The client that the session counts for.
    pub holder: Holder,
    /// Unspecified for who has none; only the limit of all counts then.
    pub peer: IpAddr,
}

/// Why a connection may not be opened.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum Refused {
    #[error("the server is full")]
    Full,
    #[error("too many connections from this address")]
    Address,
    #[error("this user has too many connections")]
    Share,
    #[error("too many clients without a token")]
    Strangers,
    #[error("the server is shutting down")]
    Draining,
}

impl From<Shortage> for Refused {
    fn from(shortage: Shortage) -> Self {
        match shortage {
            Shortage::Full => Self::Full,
            Shortage::Share => Self::Share,
            Shortage::Strangers => Self::Strangers,
        }
    }
}

impl Refused {
    /// Why a pool has nothing for `holder`.
    pub fn of(shortage: Shortage, holder: &Holder) -> Self {
        match holder {
            Holder::Guest(_) if shortage == Shortage::Share => Self::Address,
            _ => shortage.into(),
        }
    }
}

impl From<Refused> for Problem {
    fn from(why: Refused) -> Self {
        let detail = match why {
            Refused::Share => "close some, or try again after the time in Retry-After",
            Refused::Strangers => "show a token, or try again after the time in Retry-After",
            Refused::Full | Refused::Address | Refused::Draining => {
                "try again after the time in Retry-After"
            }
        };
        let (status, kind, title) = match why {
            Refused::Full => {
                (StatusCode::SERVICE_UNAVAILABLE, "/problems/server-full", "the server is full")
            }
            Refused::Address => (
                StatusCode::TOO_MANY_REQUESTS,
                "/problems/too-many-connections",
                "too many connections from this address",
            ),
            Refused::Share => (
                StatusCode::TOO_MANY_REQUESTS,
                "/problems/too-many-connections",
                "this user has too many connections",
            ),
            Refused::Strangers => (
                StatusCode::SERVICE_UNAVAILABLE,
                "/problems/server-full",
                "too many clients without a token",
            ),
            Refused::Draining => (
                StatusCode::SERVICE_UNAVAILABLE,
                "/problems/draining",
                "the server is shutting down",
            ),
        };
        Self::new(status, kind, title).detail(detail).retry_after(Duration::from_secs(5))
    }
}
