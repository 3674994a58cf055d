//! A WebSocket before its protocol is known: one text message after the other, until the pump takes
//! it over.
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    frame::Frames,
    input::{ClientMessage, InputBuffer},
    protocol::Protocol,
    pump::{self, Config},
};
use crate::{Close, Inbox, Session};

/// Bytes of one read, and upper bound on a message: those exchanged here are short.
const CHUNK: usize = 1 << 10;

/// A connection whose protocol is not known yet. It has no timeout: wrap its futures in one.
#[derive(Debug)]
pub struct Exchange<S> {
    io: S,
    input: InputBuffer,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<S> {
    pub fn new(io: S) -> Self {
        Self { io, input: InputBuffer::new(CHUNK) }
    }

    /// Reads the next text message; `None` if the peer closes, is gone, or breaks the protocol.
    pub async fn text(&mut self) -> io::Result<Option<String>> {
        let mut bytes = vec![0; CHUNK];
        let mut read = 0;
        loop {
            let (mut text, mut answers, mut over) = (None, Vec::new(), false);
            let fed = self.input.feed(bytes.get_mut(..read).unwrap_or_default(), |message| {
                match message {
                    ClientMessage::Text(message) => text = Some(message.to_owned()),
                    ClientMessage::Ping(payload) => Frames::new(&mut answers).pong(payload),
                    ClientMessage::Binary | ClientMessage::Pong => {}
                    ClientMessage::Close(close) => {
                        Frames::new(&mut answers).close(&close);
                        over = true;
                    }
                }
                text.is_none() && !over
            });
            if let Err(close) = fed {
                Frames::new(&mut answers).close(&close);
                over = true;
            }
            self.io.write_all(&answers).await?;
            self.io.flush().await?;
            if over || text.is_some() {
                return Ok(text);
            }
            read = self.io.read(&mut bytes).await?;
            if read == 0 {
                return Ok(None);
            }
        }
    }

    pub async fn send(&mut self, text: &str) -> io::Result<()> {
        let mut bytes = Vec::new();
        Frames::new(&mut bytes).text(text);
        self.io.write_all(&bytes).await?;
        self.io.flush().await
    }

    /// Closes without waiting for the peer's half of the closing handshake.
    pub async fn close(mut self, close: &Close) -> io::Result<()> {
        let mut bytes = Vec::new();
        Frames::new(&mut bytes).close(close);
        self.io.write_all(&bytes).await?;
        self.io.shutdown().await
    }

    /// Runs `protocol` on the connection, from the first message that was not read here.
    pub async fn serve<P: Protocol>(
        mut self,
        session: Session,
        inbox: Inbox,
        protocol: P,
        config: Config,
    ) {
        self.input.allow(config.max_message_size);
        pump::run(self.io, self.input, session, inbox, protocol, config).await;
    }
}
