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

pub(super) struct CatLink {
    socket: Socket,
}

// === impl CatLink ===

impl CatLink {
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
                Some(Err(err)) => return Err(broken(err)),
            }
        }
    }

    /// Whether the connection is open, and nothing has come on it that could be taken for a reply.
    pub(super) async fn is_quiet(&mut self) -> bool {
        poll_fn(|cx| if self.hush(cx) { self.poll_empty() } else { Poll::Ready(false) }).await
    }

    /// Reads the frames that the runtime knows of, and answers pings. False if the connection cannot be
    /// used any more.
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

    /// Whether the kernel has no data either; pending if it has some, which will wake the runtime.
    fn poll_empty(&self) -> Poll<bool> {
        let mut byte = [MaybeUninit::uninit()];
        match SockRef::from(self.socket.get_ref().get_ref()).peek(&mut byte) {
            Ok(0) => Poll::Ready(false),
            Ok(_) => Poll::Pending,
            Err(err) => Poll::Ready(err.kind() == ErrorKind::WouldBlock),
        }
    }
}

impl Drop for CatLink {
    /// Sends a close frame if there is room for it, so that the Cat frees its resources at once.
    fn drop(&mut self) {
        drop(self.socket.close(None).now_or_never());
    }
}

impl fmt::Debug for CatLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CatLink")
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
