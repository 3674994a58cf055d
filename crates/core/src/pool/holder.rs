//! Clients as pools count them.
use std::{net::IpAddr, sync::Arc};

use crate::network;

/// A client that holds units of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A signed-in user, or a user that a program acts for, wherever the connections come from.
    User(Arc<str>),
    /// An address (of IPv6, a /64) where nobody signs in.
    Guest(IpAddr),
    /// An address that has shown no accepted token where one is needed.
    Stranger(IpAddr),
    /// A program with a token that names no user, and the gateway itself: no share applies.
    Program,
}

impl Holder {
    pub fn user(user: &Arc<str>) -> Self {
        Self::User(Arc::clone(user))
    }

    pub fn guest(address: IpAddr) -> Self {
        Self::Guest(network(address))
    }

    pub fn stranger(address: IpAddr) -> Self {
        Self::Stranger(network(address))
    }

    pub fn is_stranger(&self) -> bool {
        matches!(self, Self::Stranger(_))
    }
}
