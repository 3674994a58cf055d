//! Why a connection ends, as a WebSocket close code with a defined reaction of the client.
use std::borrow::Cow;

/// A close code and its reason (RFC 6455, 7.4). The range tells whether to come back: 3000 to 3499
/// and 4000 to 4499 invite a reconnect, 3500 to 3999 and 4500 to 4999 do not. The numbers are
/// those of Centrifugo where the meaning is the same, because client libraries know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    pub code: u16,
    /// At most 123 bytes.
    pub reason: Cow<'static, str>,
}

impl Close {
    /// The peer closed, and this is the answer.
    pub const NORMAL: Self = Self::new(1000, "");
    /// The frame breaks RFC 6455.
    pub const PROTOCOL: Self = Self::new(1002, "protocol error");
    /// A text frame that is not UTF-8.
    pub const NOT_UTF8: Self = Self::new(1007, "text is not UTF-8");
    /// More fragments in one message than any client has a use for.
    pub const FRAGMENTS: Self = Self::new(1008, "too many fragments in one message");
    /// The message is larger than the configured bound.
    pub const TOO_BIG: Self = Self::new(1009, "message too big");
    /// Too much is being received at once; come back and send it again.
    pub const BUSY: Self = Self::new(1013, "too much is being received; try again later");
    /// The client goes on over another connection.
    pub const MOVED: Self = Self::new(3000, "goes on over another connection");
    /// The server shuts down; come back, to another node perhaps.
    pub const SHUTDOWN: Self = Self::new(3001, "shutdown");
    /// The token has expired; come back with a new one.
    pub const EXPIRED: Self = Self::new(3005, "expired");
    /// The client sent no CONNECT in time; come back and send it.
    pub const NO_CONNECT: Self = Self::new(3006, "no CONNECT in time");
    /// The connection takes its data too slowly; come back and resume.
    pub const SLOW: Self = Self::new(3008, "slow");
    /// Nothing came back after a ping.
    pub const NO_PONG: Self = Self::new(3012, "no pong");
    /// Every topic of the connection is deleted; do not come back.
    pub const DELETED: Self = Self::new(3520, "deleted");
    /// The client made room for another, as it has shown no token; come back, and show one sooner.
    pub const CROWDED: Self = Self::new(3013, "too many connections without a token");
    /// An operator ended the session; stay away.
    pub const KICKED: Self = Self::new(3503, "ended by the operator");

    pub const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }
}
