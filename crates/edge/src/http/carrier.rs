//! The HTTP connection that requests come on, as far as pools count it.
use std::{fmt, sync::Arc};

use http::Extensions;
use quadrille_core::{Buffers, HeldBytes, Holder, Shortage};

/// The HTTP connection that a request came on. The listener puts it into every request. Cloning
/// shares it.
#[derive(Clone, Debug)]
pub struct Carrier(Arc<dyn Carry>);

/// A connection that counts for a client.
pub trait Carry: fmt::Debug + Send + Sync {
    /// Counts the connection as that of `holder`, known by the token of a request. On an error nothing
    /// changes.
    fn identified(&self, holder: &Holder) -> Result<(), Shortage>;

    /// The client that the connection counts for.
    fn holder(&self) -> Holder;

    /// The pools of bytes that it holds.
    fn buffers(&self) -> &Buffers;
}

impl Carrier {
    pub fn new(connection: Arc<dyn Carry>) -> Self {
        Self(connection)
    }

    /// Counts the connection that a request with these `extensions` came on as that of `holder`.
    pub fn identified(extensions: &Extensions, holder: &Holder) -> Result<(), Shortage> {
        let carrier = extensions.get::<Self>();
        carrier.map_or(Ok(()), |Self(connection)| connection.identified(holder))
    }

    /// The client that a request on the connection counts for.
    pub fn holder(&self) -> Holder {
        self.0.holder()
    }

    /// Counts the bytes of the body of a request with these `extensions`, and the client that they
    /// count for. `None` for a request that came from no listener.
    pub fn body(extensions: &Extensions) -> Option<(HeldBytes, Holder)> {
        let Self(connection) = extensions.get::<Self>()?;
        Some((connection.buffers().receiving(), connection.holder()))
    }
}
