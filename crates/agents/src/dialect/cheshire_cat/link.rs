//! One connection to a Cat, which is closed when it is dropped.
use std::{
    fmt,
    io::ErrorKind,
    mem::MaybeUninit,
    task::{Context, Poll},
};

use futures_util::{FutureExt, SinkExt, StreamExt, future::poll_fn};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Error, Message, Utf8Bytes},
};

use super::frame;
use crate::{Code, Failure};

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(super) struct Link {
    socket: Socket,
}

// === impl Link ===

impl Link {
    pub(super) fn new(socket: Socket) -> Self {
        Self { socket }
    }

    /// Sends one text frame. After an error, the Cat does not have the whole of it.
    pub(super) async fn send(&mut self, text: Utf8Bytes) -> Result<(), Error> {
        self.socket.send(Message::Text(text)).await
    }

    /// The next text frame. Pings are answered meanwhile.
    pub(super) async fn frame(&mut self) -> Result<Utf8Bytes, Failure> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Binary(_))) => {
                    return Err(Failure::new(Code::BadAnswer, "a binary frame"));
                }
                Some(Ok(Message::Close(_))) | None => return Err(Code::BrokenOff.into()),
                Some(Err(e)) => return Err(broken(e)),
            }
        }
    }

    /// Whether it is open, and the Cat has said nothing unasked that could be taken for a reply.
    pub(super) async fn is_quiet(&mut self) -> bool {
        poll_fn(|cx| if self.hush(cx) { self.poll_empty() } else { Poll::Ready(false) }).await
    }

    /// Reads what the runtime knows to have come, and answers pings. False when it is of no more
    /// use.
    pub(super) fn hush(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            match self.socket.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
                Poll::Ready(Some(Ok(Message::Text(text)))) if frame::is_harmless(&text) => {}
                Poll::Ready(_) => return false,
                Poll::Pending => return true,
            }
        }
    }

    /// Whether the kernel has nothing either; pending if it has, as the runtime will hear of it.
    fn poll_empty(&self) -> Poll<bool> {
        let mut byte = [MaybeUninit::uninit()];
        match SockRef::from(self.socket.get_ref().get_ref()).peek(&mut byte) {
            Ok(0) => Poll::Ready(false),
            Ok(_) => Poll::Pending,
            Err(e) => Poll::Ready(e.kind() == ErrorKind::WouldBlock),
        }
    }
}

impl Drop for Link {
    /// Says goodbye if there is room for it, so that the Cat frees what it has at once.
    fn drop(&mut self) {
        drop(self.socket.close(None).now_or_never());
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

fn broken(error: Error) -> Failure {
    let code = match error {
        Error::Capacity(_) => Code::TooLong,
        Error::Utf8(_) => Code::BadAnswer,
        _ => Code::BrokenOff,
    };
    Failure::new(code, error)
}
