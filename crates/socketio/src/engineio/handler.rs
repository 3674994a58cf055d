//! The receiver of a client's messages.
use std::fmt;

use quadrille_core::{Close, Delivery, Inbox};
use quadrille_edge::ws::{Flow, Frames};
use tokio::time::Instant;

/// Takes the messages of one connection and renders its deliveries, however they travel. Never
/// called twice at the same time.
pub trait Handler: Send + Sized + 'static {
    /// Name of the protocol in logs and metrics.
    const NAME: &'static str;

    /// Result that [`Flow::Wait`] waits for.
    type Done: Send + 'static;

    /// Handles a message of the client.
    fn message(&mut self, text: &str, link: &mut EngineLink<'_>) -> Flow<Self::Done>;

    /// Handles a binary message, whose bytes are dropped unread.
    fn binary(&mut self, link: &mut EngineLink<'_>) -> Flow<Self::Done>;

    /// Goes on after [`Flow::Wait`].
    fn done(&mut self, done: Self::Done, link: &mut EngineLink<'_>);

    /// Writes the packets that show a delivery, if any.
    fn render(&mut self, delivery: &Delivery, out: &mut dyn PacketSink);

    /// Writes the last packets before the server ends the connection.
    fn end(&mut self, close: &Close, out: &mut dyn PacketSink);

    /// Time at which the connection has to end, and the reason.
    fn deadline(&self) -> Option<(Instant, Close)>;

    /// Whether the client is in a session of the protocol above. Without one, a polling client is
    /// sent the packet `close` when the connection ends.
    fn is_connected(&self) -> bool;
}

/// The subscriptions of a connection, and packets to its client.
pub struct EngineLink<'a> {
    pub inbox: &'a mut Inbox,
    pub out: &'a mut dyn PacketSink,
}

/// Takes packets in the order in which they are sent, each with its type in front.
pub trait PacketSink {
    fn packet(&mut self, packet: &str);
}

impl PacketSink for Frames<'_> {
    fn packet(&mut self, packet: &str) {
        self.text(packet);
    }
}

impl fmt::Debug for EngineLink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineLink").field("inbox", &self.inbox).finish_non_exhaustive()
    }
}
