//! The client that a rate counts against.
use std::{net::IpAddr, sync::Arc};

use quadrille_core::network;

/// A client, as rates count it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Payer {
    /// A user, wherever the connections come from.
    User(Arc<str>),
    /// An address of IPv4, or 2⁶⁴ of IPv6: a network that small is the least that one customer
    /// gets (RFC 6177).
    Address(IpAddr),
    /// Pages of other sites in the browsers at an address: their requests are not charged to the
    /// address itself.
    Foreign(IpAddr),
}

impl Payer {
    /// The user after sign-in, or else the address.
    pub fn new(user: Option<&Arc<str>>, address: IpAddr) -> Self {
        user.map_or_else(|| address.into(), |user| Self::User(Arc::clone(user)))
    }

    pub fn foreign(address: IpAddr) -> Self {
        Self::Foreign(network(address))
    }
}

impl From<IpAddr> for Payer {
    fn from(address: IpAddr) -> Self {
        Self::Address(network(address))
    }
}
