//! One client of a relay: asks over HTTP/1.1, one question at a time, on a connection that is kept
//! if the server keeps it.

use std::io::{ErrorKind, Read, Write};
use std::mem;
use std::net::{self, SocketAddr};
use std::time::Instant;

use anyhow::{Context, Result};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use serde::Deserialize;

#[derive(Debug)]
pub(crate) struct Caller {
    addr: SocketAddr,
    token: Token,
    user: String,
    stream: Option<TcpStream>,
    input: Vec<u8>,
    asked: u64,
    waits: bool,
    pub(crate) sent_at: Instant,
}

/// Outcome of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its reply.
    Reply,
    /// The reply to another one.
    Wrong,
    /// No reply: another status than 200, or the end of the connection.
    Failed,
}

/// A whole response.
#[derive(Debug, PartialEq, Eq)]
struct Response<'a> {
    ok: bool,
    closes: bool,
    body: &'a [u8],
}

// === impl Caller ===

impl Caller {
    pub(crate) fn new(addr: SocketAddr, index: usize) -> Self {
        Self {
            addr,
            token: Token(index),
            user: format!("caller-{index}"),
            stream: None,
            input: Vec::new(),
            asked: 0,
            waits: false,
            sent_at: Instant::now(),
        }
    }

    /// Asks the next question.
    pub(crate) fn ask(&mut self, registry: &Registry) -> Result<()> {
        self.asked += 1;
        let (addr, user, question) = (self.addr, &self.user, self.question());
        let body = format!(r#"{{"user_id":"{user}","message":"{question}"}}"#);
        let request = format!(
            "POST /send HTTP/1.1\r\nHost: {addr}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if self.stream.is_none() {
            self.stream = Some(self.connect(registry)?);
        }
        self.waits = true;
        self.sent_at = Instant::now();
        let stream = self.stream.as_mut().context("there is a connection")?;
        // The socket has nothing else to send, and takes as much at once.
        stream.write_all(request.as_bytes()).context("cannot send a question")
    }

    /// Text of the question, which occurs in no reply to another one.
    fn question(&self) -> String {
        format!("which way ought I to go from here? ({}, {})", self.user, self.asked)
    }

    fn connect(&self, registry: &Registry) -> Result<TcpStream> {
        let stream = net::TcpStream::connect(self.addr)
            .with_context(|| format!("cannot connect to {}", self.addr))?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let mut stream = TcpStream::from_std(stream);
        registry.register(&mut stream, self.token, Interest::READABLE)?;
        Ok(stream)
    }

    /// Reads everything that has arrived. Returns the outcome once there is one.
    pub(crate) fn read(&mut self, scratch: &mut [u8]) -> Option<Outcome> {
        let stream = self.stream.as_mut()?;
        let open = loop {
            match stream.read(scratch) {
                Ok(0) => break false,
                Ok(n) => self.input.extend_from_slice(&scratch[..n]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => break e.kind() == ErrorKind::WouldBlock,
            }
        };
        let response = parse(&self.input);
        let outcome = match &response {
            None if open => return None,
            Some(Response { ok: true, body, .. }) if is_reply(body, &self.question()) => {
                Outcome::Reply
            }
            Some(Response { ok: true, .. }) => Outcome::Wrong,
            _ => Outcome::Failed,
        };
        if !open || response.is_none_or(|response| response.closes) {
            self.stream = None;
        }
        self.input.clear();
        // Between two questions a connection may end.
        mem::take(&mut self.waits).then_some(outcome)
    }
}

fn is_reply(body: &[u8], question: &str) -> bool {
    #[derive(Deserialize)]
    struct Reply {
        response: String,
    }
    serde_json::from_slice::<Reply>(body).is_ok_and(|reply| reply.response.contains(question))
}

/// `None` while it is not whole.
fn parse(input: &[u8]) -> Option<Response<'_>> {
    const END: &[u8] = b"\r\n\r\n";
    let at = input.windows(END.len()).position(|window| window == END)?;
    let (head, body) = (std::str::from_utf8(&input[..at]).ok()?, &input[at + END.len()..]);
    let mut lines = head.lines();
    let status = lines.next()?;
    let header = |name: &str| {
        let mut lines = lines.clone().filter_map(|line| line.split_once(':'));
        lines.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let length: usize = header("content-length")?.parse().ok()?;
    let closes = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let ok = status.split(' ').nth(1) == Some("200");
    Some(Response { ok, closes, body: body.get(..length)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_taken_when_it_is_whole() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-Length: 2\r\nConnection: close\r\n\r\n{}";
        for cut in 0..whole.len() {
            assert_eq!(parse(&whole[..cut]), None, "{cut}");
        }
        assert_eq!(parse(whole), Some(Response { ok: true, closes: true, body: b"{}" }));
        let busy = parse(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(busy, Some(Response { ok: false, closes: false, body: b"" }));
    }

    #[test]
    fn a_reply_belongs_to_its_question() {
        let body = br#"{"response": "You asked: b?"}"#;
        assert!(is_reply(body, "b?") && !is_reply(body, "a?") && !is_reply(b"b?", "b?"));
    }
}
