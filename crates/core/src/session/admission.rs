//! A connection at the door, and why it may not be opened.
use std::{net::IpAddr, sync::Arc};

use crate::{Holder, Shortage};

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
    /// Why a pool has nothing for `holder`.
    pub fn of(shortage: Shortage, holder: &Holder) -> Self {
        match holder {
            Holder::Guest(_) if shortage == Shortage::Share => Self::Address,
            _ => shortage.into(),
        }
    }
}
