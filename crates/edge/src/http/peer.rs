//! The address of the client of a request.
use std::net::{IpAddr, Ipv4Addr};

use http::{Extensions, Request};

/// Address of the client. The listener adds it to every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

impl Peer {
    /// Address of the client of `request`; unspecified if it has none, as on a Unix socket.
    pub fn of<B>(request: &Request<B>) -> Self {
        Self::within(request.extensions())
    }

    /// Address of the client of a request with these extensions.
    pub fn within(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or(Self(Ipv4Addr::UNSPECIFIED.into()))
    }
}
