//! The address of the client of a request.
use std::net::{IpAddr, Ipv4Addr};

use http::{Extensions, Request};

/// The address of the client. The listener puts it into every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

impl Peer {
    /// The address that the listener put into `request`; an unspecified one if there is none, as
    /// on a unix socket.
    pub fn of<B>(request: &Request<B>) -> Self {
        Self::within(request.extensions())
    }

    /// [`Self::of`] a request that was taken apart.
    pub fn within(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or(Self(Ipv4Addr::UNSPECIFIED.into()))
    }
}
