//! What a protocol does with a connection that the pump looks after.
use futures_util::future::BoxFuture;
use quadrille_core::{Close, Delivery, Inbox};
use tokio::time::Instant;

use super::frame::Frames;

/// What a protocol does with its connection. Called by the pump, never at the same time.
pub trait Protocol: Send {
    /// For metrics and logs.
    const NAME: &'static str;

    /// The connection begins: what it is told before anything else.
    fn begin(&mut self, _: &mut Link<'_>) {}

    /// A text message came.
    fn text(&mut self, text: &str, link: &mut Link<'_>) -> Flow;

    /// A binary message came; its content is not kept.
    fn binary(&mut self, link: &mut Link<'_>) -> Flow;

    /// Put `delivery` on the wire, or nothing.
    fn render(&mut self, delivery: Delivery, out: &mut Frames<'_>);

    /// What [`Flow::Wait`] waited for is done, and commands are read again after this.
    fn waited(&mut self, _: &mut Link<'_>) {}

    /// It is time to see whether the peer is there. Whatever comes from it counts as an answer.
    fn ping(&mut self, out: &mut Frames<'_>) {
        out.ping();
    }

    /// The server ends the connection; the close frame comes after this.
    fn end(&mut self, _: &Close, _: &mut Frames<'_>) {}

    /// When the connection has to end, as the peer's identity does. May change whenever the protocol
    /// was called.
    fn expires(&self) -> Option<Instant> {
        None
    }

    /// What the peer is told when [`expires`](Self::expires) has come.
    fn expired(&self) -> Close {
        Close::EXPIRED
    }
}

/// What a command may use: the connection's subscriptions, and frames in answer.
#[derive(Debug)]
pub struct Link<'a> {
    pub inbox: &'a mut Inbox,
    pub out: Frames<'a>,
}

/// What comes after a command.
pub enum Flow {
    Continue,
    /// Read no further command before this is done; then answer with the text, if any. Deliveries
    /// go on meanwhile.
    Wait(BoxFuture<'static, Option<String>>),
    Close(Close),
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Continue => f.write_str("Continue"),
            Self::Wait(_) => f.write_str("Wait"),
            Self::Close(why) => f.debug_tuple("Close").field(why).finish(),
        }
    }
}
