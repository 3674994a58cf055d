//! Requests to open a connection, and their refusals.
use std::{net::IpAddr, sync::Arc};

use crate::{Holder, Shortage};

/// A connection to be admitted.
#[derive(Clone, Debug)]
pub struct Admission {
    pub protocol: &'static str,
    pub user: Option<Arc<str>>,
    /// The client that the session counts for.
    pub holder: Holder,
    /// Unspecified if there is none; only the limit of all counts then.
    pub peer: IpAddr,
}

/// Why a connection may not be opened.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum NotAdmitted {
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

impl From<Shortage> for NotAdmitted {
    fn from(shortage: Shortage) -> Self {
        match shortage {
            Shortage::Full => Self::Full,
            Shortage::Share => Self::Share,
            Shortage::Strangers => Self::Strangers,
        }
    }
}

impl NotAdmitted {
    /// The refusal for `holder` if a pool has nothing for it.
    pub fn of(shortage: Shortage, holder: &Holder) -> Self {
        match holder {
            Holder::Guest(_) if shortage == Shortage::Share => Self::Address,
            _ => shortage.into(),
        }
    }

    /// Label for metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Address => "address",
            Self::Share => "share",
            Self::Strangers => "strangers",
            Self::Draining => "draining",
        }
    }
}
