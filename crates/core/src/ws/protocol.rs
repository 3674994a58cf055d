//! The interface between a protocol and the pump that runs its connections.
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::frame::Frames;
use crate::{Close, Delivery, Inbox};

/// Handles one connection. The pump makes one call at a time.
pub trait Protocol: Send {
    /// For metrics and logs.
    const NAME: &'static str;

    /// Result of what [`Flow::Wait`] waits for; [`Infallible`](std::convert::Infallible) for a
    /// protocol that never waits.
    type Done: Send + 'static;

    /// Begins the connection: sends what comes before anything else.
    fn begin(&mut self, _: &mut Link<'_>) -> Flow<Self::Done> {
        Flow::Continue
    }

    /// Handles a text message.
    fn text(&mut self, text: &str, link: &mut Link<'_>) -> Flow<Self::Done>;

    /// Handles a binary message; its content is not kept.
    fn binary(&mut self, link: &mut Link<'_>) -> Flow<Self::Done>;

    /// Handles the result of what [`Flow::Wait`] waited for. Messages are read again after this.
    fn done(&mut self, done: Self::Done, link: &mut Link<'_>);

    /// Writes `delivery` as frames; none if it is nothing to this client.
    fn render(&mut self, delivery: Delivery, out: &mut Frames<'_>);

    /// Pings the peer. Whatever comes from it counts as an answer.
    fn ping(&mut self, out: &mut Frames<'_>) {
        out.ping();
    }

    /// Writes what comes before the close frame when the server ends the connection.
    fn end(&mut self, _: &Close, _: &mut Frames<'_>) {}

    /// Time at which the connection has to end, as the peer's identity expires. May change with
    /// every call of the protocol.
    fn expires(&self) -> Option<Instant> {
        None
    }

    /// Close code sent at [`expires`](Self::expires).
    fn expired(&self) -> Close {
        Close::EXPIRED
    }
}

/// Gives a message's handler the connection's subscriptions, and frames to answer with.
#[derive(Debug)]
pub struct Link<'a> {
    pub inbox: &'a mut Inbox,
    pub out: Frames<'a>,
}

/// Decides what follows a message.
pub enum Flow<D> {
    Continue,
    /// Reads no further message before the future is ready, and passes its result to
    /// [`Protocol::done`]. Deliveries go on meanwhile. Dropped if the connection closes first.
    Wait(BoxFuture<'static, D>),
    Close(Close),
}

impl<D> std::fmt::Debug for Flow<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Continue => f.write_str("Continue"),
            Self::Wait(_) => f.write_str("Wait"),
            Self::Close(close) => f.debug_tuple("Close").field(close).finish(),
        }
    }
}
