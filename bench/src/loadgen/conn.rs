//! One nonblocking client connection: the handshake, the subscription, then frames.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

use crate::frame::{self, CLOSE, PING, PONG, TEXT};
use crate::protocol::{Answer, Opening, Protocol};

/// The example of RFC 6455 §1.3: with a fixed key the right answer is known without SHA-1.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Purpose of a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    /// Subscribe to this channel before the connection counts as open. One without publishes.
    pub(crate) channel: Option<String>,
    /// Never read, once open, until told to. The receive buffer is kept small.
    pub(crate) stuck: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Upgrading,
    Opening,
    Open,
}

#[derive(Debug)]
pub(crate) struct Conn {
    stream: TcpStream,
    stage: Stage,
    protocol: Protocol,
    opening: Opening,
    /// The beginning of an incomplete frame.
    held: Vec<u8>,
    /// Small frames (pongs) that the socket did not take.
    unsent: Vec<u8>,
    pub(crate) writable: bool,
    pub(crate) stuck: bool,
    /// The server has closed it, with this close code (0 if it gave none).
    pub(crate) closed: Option<u16>,
}

impl Conn {
    /// Starts to connect, from `source` if one is given.
    pub(crate) fn connect(
        to: SocketAddr,
        source: Option<IpAddr>,
        protocol: Protocol,
        wish: Wish,
    ) -> io::Result<Self> {
        const SMALL_BUFFER: usize = 32 * 1024;
        // What a publisher has written and the server has not read only prolongs the round.
        const PUBLISHER_BUFFER: usize = 128 * 1024;
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if wish.stuck {
            socket.set_recv_buffer_size(SMALL_BUFFER)?;
        }
        if wish.channel.is_none() {
            socket.set_send_buffer_size(PUBLISHER_BUFFER)?;
        }
        if let Some(source) = source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&to.into()) {
            Err(error)
                if error.raw_os_error() != Some(EINPROGRESS)
                    && error.kind() != ErrorKind::WouldBlock =>
            {
                return Err(error);
            }
            _ => {}
        }
        Ok(Self {
            stream: TcpStream::from_std(socket.into()),
            stage: Stage::Connecting,
            protocol,
            opening: Opening::new(protocol, wish.channel),
            held: Vec::new(),
            unsent: Vec::new(),
            writable: false,
            stuck: wish.stuck,
            closed: None,
        })
    }

    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub(crate) fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Takes the steps to an open connection that the socket allows now; true when it is open.
    pub(crate) fn advance(&mut self, path: &str, scratch: &mut [u8]) -> Result<bool> {
        if self.stage == Stage::Connecting {
            if let Some(error) = self.stream.take_error()? {
                return Err(error).context("cannot connect");
            }
            let host = match self.stream.peer_addr() {
                Ok(host) => host,
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(false),
                Err(error) => return Err(error).context("cannot connect"),
            };
            self.write_small(
                format!(
                    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n\
                     Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: {KEY}\r\n\r\n"
                )
                .as_bytes(),
            )?;
            self.stage = Stage::Upgrading;
        }
        loop {
            match self.stream.read(scratch) {
                Ok(0) => bail!("the server closed the connection before it was open"),
                Ok(n) => self.held.extend(&scratch[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("the connection broke before it was open"),
            }
        }
        if self.stage == Stage::Upgrading {
            self.upgraded()?;
        }
        if matches!(self.stage, Stage::Opening | Stage::Open) {
            self.first_frames()?;
        }
        Ok(self.is_open())
    }

    fn upgraded(&mut self) -> Result<()> {
        let Some(end) = self.held.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(());
        };
        let head: Vec<u8> = self.held.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head);
        if !head.starts_with("HTTP/1.1 101") || !head.contains(ACCEPT) {
            bail!("the server refused the upgrade: {}", head.lines().next().unwrap_or_default());
        }
        self.stage = Stage::Opening;
        let answer = self.opening.begin();
        self.act(answer, "")
    }

    /// Takes the steps that the protocol wants, and answers a server that pings at once.
    fn first_frames(&mut self) -> Result<()> {
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        while let Some((frame, tail)) = frame::parse(rest)? {
            rest = tail;
            let text = String::from_utf8_lossy(frame.payload);
            match frame.opcode {
                PING => self.answer(PONG, frame.payload),
                TEXT => {
                    let answer = self.opening.hear(&text);
                    self.act(answer, &text)?;
                }
                CLOSE => bail!("the server closed the connection before it was open: {text}"),
                _ => {}
            }
        }
        self.held = rest.to_vec();
        Ok(())
    }

    fn act(&mut self, answer: Answer, heard: &str) -> Result<()> {
        match answer {
            Answer::Nothing => {}
            Answer::Say(text) => {
                let mut frame = Vec::new();
                frame::encode(TEXT, text.as_bytes(), &mut frame);
                self.write_small(&frame)?;
            }
            Answer::Open => self.stage = Stage::Open,
            Answer::Refused => bail!("the server refused the subscription: {heard}"),
        }
        Ok(())
    }

    fn answer(&mut self, opcode: u8, payload: &[u8]) {
        frame::encode(opcode, payload, &mut self.unsent);
        self.writable = true;
        self.flush();
    }

    /// Writes a text that must fit a new socket's empty buffer.
    fn write_small(&mut self, bytes: &[u8]) -> Result<()> {
        let n = self.stream.write(bytes).context("cannot write to a new connection")?;
        if n < bytes.len() {
            bail!("a new connection took {n} of {} bytes", bytes.len());
        }
        Ok(())
    }

    /// Writes as much of `bytes` as the socket takes, and returns how much that was.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() && self.writable && self.closed.is_none() {
            match self.stream.write(&bytes[at..]) {
                Ok(n) => at += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.closed = Some(0),
            }
        }
        at
    }

    /// Sends the pongs that had to wait.
    pub(crate) fn flush(&mut self) {
        if !self.unsent.is_empty() {
            let unsent = std::mem::take(&mut self.unsent);
            let n = self.write(&unsent);
            self.unsent.extend(&unsent[n..]);
        }
    }

    /// Reads until the socket is empty and hands over the payload of each text frame.
    ///
    /// `scratch` is shared by all connections; only an unfinished frame is kept per connection.
    pub(crate) fn drain(&mut self, scratch: &mut [u8], mut text: impl FnMut(&[u8])) -> Result<()> {
        while self.closed.is_none() {
            let held = self.held.len();
            if held >= scratch.len() {
                bail!("the server sent a frame of more than {} bytes", scratch.len());
            }
            scratch[..held].copy_from_slice(&self.held);
            let n = match self.stream.read(&mut scratch[held..]) {
                Ok(0) => {
                    self.closed = Some(0);
                    break;
                }
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => {
                    self.closed = Some(0);
                    break;
                }
            };
            let filled = held + n;
            let mut rest = &scratch[..filled];
            while let Some((frame, tail)) = frame::parse(rest)? {
                rest = tail;
                match frame.opcode {
                    PING => self.answer(PONG, frame.payload),
                    PONG => {}
                    CLOSE => {
                        let code = frame.payload.first_chunk::<2>().copied().unwrap_or_default();
                        self.closed = Some(u16::from_be_bytes(code));
                    }
                    TEXT if self.protocol.is_farewell(frame.payload) => self.closed = Some(0),
                    TEXT => match self.protocol.pong(frame.payload) {
                        Some(pong) => self.answer(TEXT, pong.as_bytes()),
                        None => text(frame.payload),
                    },
                    _ => text(b""),
                }
            }
            self.held.clear();
            self.held.extend(rest);
            // A short read has emptied the socket: what comes later raises a new event.
            if filled < scratch.len() {
                break;
            }
        }
        Ok(())
    }
}

/// `EINPROGRESS` of Linux, which `ErrorKind` has no stable name for.
const EINPROGRESS: i32 = 115;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn a_connection_comes_from_the_address_it_is_given() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let source = Ipv4Addr::new(127, 0, 0, 2).into();
        let to = listener.local_addr().unwrap();
        let _conn = Conn::connect(to, Some(source), Protocol::Broker, Wish::default()).unwrap();
        assert_eq!(listener.accept().unwrap().1.ip(), source);
    }
}
