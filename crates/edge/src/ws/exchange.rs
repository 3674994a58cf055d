//! A WebSocket before it is known what it carries: one text message after the other, until it is
//! handed to the pump.
use std::io;

use quadrille_core::{Close, Inbox, Session};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    frame::Frames,
    input::{Input, Message},
    protocol::Protocol,
    pump::{self, Config},
};

/// Bytes of a message, and read at once: what is exchanged here is short.
const CHUNK: usize = 1 << 10;

/// A connection of which nothing is known yet. Waits without a limit of its own: give it one.
#[derive(Debug)]
pub struct Exchange<S> {
    io: S,
    input: Input,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<S> {
    pub fn new(io: S) -> Self {
        Self { io, input: Input::new(CHUNK) }
    }

    /// The next text message; `None` if there will be none, because the peer closes, is gone, or
    /// breaks the protocol.
    pub async fn text(&mut self) -> io::Result<Option<String>> {
        let mut bytes = vec![0; CHUNK];
        let mut read = 0;
        loop {
            let (mut text, mut answers, mut over) = (None, Vec::new(), false);
            let fed = self.input.feed(bytes.get_mut(..read).unwrap_or_default(), |message| {
                match message {
                    Message::Text(it) => text = Some(it.to_owned()),
                    Message::Ping(payload) => Frames::new(&mut answers).pong(payload),
                    Message::Binary | Message::Pong => {}
                    Message::Close(why) => {
                        Frames::new(&mut answers).close(&why);
                        over = true;
                    }
                }
                text.is_none() && !over
            });
            if let Err(why) = fed {
                Frames::new(&mut answers).close(&why);
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

    /// Close, without waiting for the peer's half of the closing handshake.
    pub async fn close(mut self, why: &Close) -> io::Result<()> {
        let mut bytes = Vec::new();
        Frames::new(&mut bytes).close(why);
        self.io.write_all(&bytes).await?;
        self.io.shutdown().await
    }

    /// Go on as `protocol`, with what came after the last message that was taken.
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
