//! The application on top: who may connect, and what events mean.
use std::{borrow::Cow, fmt, sync::Arc};

use futures_util::future::BoxFuture;
use quadrille_core::{Close, Delivery, Holder, SessionInfo};
use quadrille_edge::ws::Flow;
use quadrille_identity::{Exceeded, Token};
use tokio::time::Instant;

use crate::{
    engineio::PacketSink,
    link::{RenderOutput, SocketLink},
    packet::{BadPacket, EventData},
    recovery::{ResumeRequest, Resumed},
};

/// Decides who may connect, and makes a handler for each client that is.
pub trait Application: Send + Sync + Sized + 'static {
    /// Name of the protocol in logs and metrics.
    const NAME: &'static str;

    /// A client that may connect.
    type Identity: Send + 'static;

    /// Handles the events of one client.
    type Client: EventHandler;

    /// Finds out whether a client may connect. It may ask again after a refusal, until the time to
    /// connect is up.
    fn identify(self: &Arc<Self>, request: ConnectRequest<'_>) -> Connect<Self::Identity>;

    /// Makes the handler of a client that was just told that it is connected. Follows the topics of
    /// the socket that it resumes, if it does.
    fn connect(
        self: &Arc<Self>,
        identity: Self::Identity,
        resumed: Option<&Resumed>,
        link: &mut SocketLink<'_>,
    ) -> Self::Client;
}

/// Handles the events of one connected client and renders its deliveries. Dropped when the client
/// disconnects or its connection ends.
pub trait EventHandler: Send + Sized + 'static {
    /// Handles an event. `id` names the acknowledgement, if the client wants one.
    fn event(
        &mut self,
        event: &EventData<'_>,
        id: Option<u64>,
        link: &mut SocketLink<'_>,
    ) -> Flow<Then<Self>>;

    /// Answers a packet that was not handled.
    fn reject(&mut self, rejection: &Rejection, id: Option<u64>, link: &mut SocketLink<'_>);

    /// Writes the packets that show a delivery, if any.
    fn render(&mut self, delivery: &Delivery, out: &mut RenderOutput<'_>);

    /// Writes the last packets before the server ends the connection.
    fn end(&mut self, close: &Close, out: &mut dyn PacketSink);

    /// Time at which the client's token expires and its connection is closed with 3005. It cannot
    /// be resumed after that.
    fn expires(&self) -> Option<Instant>;
}

/// Goes on with an event after [`Flow::Wait`]. Dropped if the client is not connected any more.
pub type Then<C> = Box<dyn FnOnce(&mut C, &mut SocketLink<'_>) + Send>;

/// A client that asks to connect.
#[derive(Clone, Copy, Debug)]
pub struct ConnectRequest<'a> {
    /// Payload of the CONNECT packet: JSON, or empty.
    pub auth: &'a str,
    /// Token of the connection's first request.
    pub token: Option<&'a Token>,
    pub info: &'a Arc<SessionInfo>,
    /// The socket that it wants to resume. Recovery may be on without any.
    pub resume: Option<&'a ResumeRequest>,
}

/// Whether a client may connect.
pub enum Connect<I> {
    Ready(Result<AcceptedSocket<I>, Refusal>),
    /// Handle none of its packets before this is known.
    Wait(BoxFuture<'static, Result<AcceptedSocket<I>, Refusal>>),
}

/// A client that may connect, and how its session counts.
#[derive(Clone, Debug)]
pub struct AcceptedSocket<I> {
    /// The user that the session belongs to. A socket is resumed by its own user alone.
    pub user: Option<Arc<str>>,
    pub holder: Holder,
    pub identity: I,
}

/// The message with which a CONNECT is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub Cow<'static, str>);

/// Error of a packet that is not handled.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum Rejection {
    #[error(transparent)]
    Packet(#[from] BadPacket),
    #[error(transparent)]
    Rate(#[from] Exceeded),
    #[error("binary attachments are not accepted")]
    Attachments,
}

impl<I> fmt::Debug for Connect<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready(_) => "Ready",
            Self::Wait(_) => "Wait",
        })
    }
}
