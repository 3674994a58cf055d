//! Messages out of a client's bytes (RFC 6455, sections 5.4 to 5.6).
use std::mem;

use super::frame::{self, Header, unmask};
use crate::Close;

/// Upper bound on the fragments of one message: enough for the largest message in fragments of 256
/// bytes, and no endless stream of empty ones.
const FRAGMENTS: usize = 4096;

/// A message of a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ClientMessage<'a> {
    Text(&'a str),
    Binary,
    Ping(&'a [u8]),
    Pong,
    /// The peer closes; this is the answer to it.
    Close(Close),
}

/// Bytes of incomplete messages. Holds no buffer between messages.
#[derive(Debug)]
pub(crate) struct InputBuffer {
    max: usize,
    /// The beginning of a frame, or frames that were not handled yet.
    pending: Vec<u8>,
    /// The fragments of a message so far, and their number.
    message: Vec<u8>,
    fragments: usize,
    text: bool,
}

impl InputBuffer {
    /// Accepts messages of at most `max` bytes.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, pending: Vec::new(), message: Vec::new(), fragments: 0, text: false }
    }

    /// Accepts messages of at most `max` bytes from now on.
    pub(crate) fn allow(&mut self, max: usize) {
        self.max = max;
    }

    /// Bytes held in its buffers.
    pub(crate) fn held(&self) -> usize {
        self.pending.capacity() + self.message.capacity()
    }

    /// Drops its buffers; nothing more can be read after this.
    pub(crate) fn forget(&mut self) {
        (self.pending, self.message) = (Vec::new(), Vec::new());
    }

    /// Passes the messages in the pending bytes and in `bytes` to `each` until it returns false,
    /// and keeps the rest. The error is the close to send.
    pub(crate) fn feed(
        &mut self,
        bytes: &mut [u8],
        each: impl FnMut(ClientMessage<'_>) -> bool,
    ) -> Result<(), Close> {
        if self.pending.is_empty() {
            let used = self.messages(bytes, each)?;
            self.pending.extend_from_slice(bytes.get(used..).unwrap_or_default());
        } else {
            let mut pending = mem::take(&mut self.pending);
            pending.extend_from_slice(bytes);
            let used = self.messages(&mut pending, each)?;
            if used < pending.len() {
                pending.drain(..used);
                self.pending = pending;
            }
        }
        Ok(())
    }

    fn messages(
        &mut self,
        bytes: &mut [u8],
        mut each: impl FnMut(ClientMessage<'_>) -> bool,
    ) -> Result<usize, Close> {
        let mut used = 0;
        loop {
            let rest = bytes.get_mut(used..).unwrap_or_default();
            let Some(header) = Header::parse(rest, self.max)? else { return Ok(used) };
            let Some(payload) = rest.get_mut(header.size..header.size + header.len) else {
                return Ok(used);
            };
            unmask(payload, header.mask);
            used += header.size + header.len;
            if !self.frame(header, payload, &mut each)? {
                return Ok(used);
            }
        }
    }

    fn frame(
        &mut self,
        header: Header,
        payload: &[u8],
        each: &mut impl FnMut(ClientMessage<'_>) -> bool,
    ) -> Result<bool, Close> {
        match header.opcode {
            frame::PING => Ok(each(ClientMessage::Ping(payload))),
            frame::PONG => Ok(each(ClientMessage::Pong)),
            frame::CLOSE => Ok(each(ClientMessage::Close(answer(payload)?))),
            frame::CONTINUATION if self.fragments == 0 => Err(Close::PROTOCOL),
            frame::CONTINUATION => self.fragment(header.last, payload, each),
            _ if self.fragments > 0 => Err(Close::PROTOCOL),
            opcode if header.last => whole(opcode == frame::TEXT, payload, each),
            opcode => {
                self.text = opcode == frame::TEXT;
                self.fragment(false, payload, each)
            }
        }
    }

    fn fragment(
        &mut self,
        last: bool,
        payload: &[u8],
        each: &mut impl FnMut(ClientMessage<'_>) -> bool,
    ) -> Result<bool, Close> {
        self.fragments += 1;
        if self.fragments > FRAGMENTS {
            return Err(Close::FRAGMENTS);
        }
        if self.message.len() + payload.len() > self.max {
            return Err(Close::TOO_BIG);
        }
        self.message.extend_from_slice(payload);
        if !last {
            return Ok(true);
        }
        self.fragments = 0;
        whole(self.text, &mem::take(&mut self.message), each)
    }
}

fn whole(
    text: bool,
    payload: &[u8],
    each: &mut impl FnMut(ClientMessage<'_>) -> bool,
) -> Result<bool, Close> {
    if !text {
        return Ok(each(ClientMessage::Binary));
    }
    let text = str::from_utf8(payload).map_err(|_| Close::NOT_UTF8)?;
    Ok(each(ClientMessage::Text(text)))
}

/// Answer to a close frame, with the same code (RFC 6455, 5.5.1 and 7.4).
fn answer(payload: &[u8]) -> Result<Close, Close> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(Close::NORMAL) } else { Err(Close::PROTOCOL) };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Close::PROTOCOL);
    }
    str::from_utf8(reason).map_err(|_| Close::NOT_UTF8)?;
    Ok(Close::new(code, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [9, 8, 7, 6];

    fn client(first: u8, payload: &[u8]) -> Vec<u8> {
        let len = u8::try_from(payload.len()).unwrap();
        let mut frame = vec![first, 0x80 | len];
        frame.extend_from_slice(&MASK);
        let at = frame.len();
        frame.extend_from_slice(payload);
        unmask(frame.get_mut(at..).unwrap(), MASK);
        frame
    }

    fn feed(input: &mut InputBuffer, mut bytes: Vec<u8>) -> Result<Vec<String>, Close> {
        let mut seen = Vec::new();
        input.feed(&mut bytes, |message| {
            seen.push(format!("{message:?}"));
            true
        })?;
        Ok(seen)
    }

    #[test]
    fn messages_are_the_same_wherever_the_bytes_are_cut() {
        let all = [
            client(0x81, "grün".as_bytes()),
            client(0x01, &[b'a', 0xC3]),
            client(0x89, b"p"),
            client(0x80, &[0xBC, b'b']),
            client(0x82, &[1, 2]),
            client(0x88, &[0x03, 0xE8]),
        ];
        let bytes = all.concat();
        let want = [
            "Text(\"grün\")",
            "Ping([112])",
            "Text(\"aüb\")",
            "Binary",
            "Close(Close { code: 1000, reason: \"\" })",
        ];
        for cut in 0..bytes.len() {
            let mut input = InputBuffer::new(100);
            let (head, tail) = bytes.split_at(cut);
            let mut got = feed(&mut input, head.to_vec()).unwrap();
            got.extend(feed(&mut input, tail.to_vec()).unwrap());
            assert_eq!(got, want);
            assert_eq!((input.pending.capacity(), input.message.capacity()), (0, 0));
        }
    }

    #[test]
    fn a_message_that_waits_is_kept_and_not_passed_twice() {
        let mut input = InputBuffer::new(100);
        let mut bytes = [client(0x81, b"1"), client(0x81, b"2"), client(0x81, b"3")].concat();
        let mut seen = Vec::new();
        let mut one = |message: ClientMessage<'_>| {
            seen.push(format!("{message:?}"));
            false
        };
        input.feed(&mut bytes, &mut one).unwrap();
        input.feed(&mut [], &mut one).unwrap();
        input.feed(&mut [], &mut one).unwrap();
        assert!(input.pending.is_empty());
        assert_eq!(seen, ["Text(\"1\")", "Text(\"2\")", "Text(\"3\")"]);
    }

    #[test]
    fn each_way_to_break_the_protocol_has_its_close_code() {
        let cases = [
            (client(0x80, b"x"), Close::PROTOCOL),
            ([client(0x01, b"x"), client(0x81, b"y")].concat(), Close::PROTOCOL),
            (client(0x81, &[0xFF]), Close::NOT_UTF8),
            (client(0x88, &[0x03]), Close::PROTOCOL),
            (client(0x88, &[0x03, 0xED]), Close::PROTOCOL),
            (client(0x88, &[0x03, 0xE8, 0xFF]), Close::NOT_UTF8),
            ([client(0x01, &[b'x'; 60]), client(0x00, &[b'y'; 60])].concat(), Close::TOO_BIG),
            (
                [vec![client(0x01, b"")], vec![client(0x00, b""); 4096]].concat().concat(),
                Close::FRAGMENTS,
            ),
        ];
        for (bytes, close) in cases {
            assert_eq!(feed(&mut InputBuffer::new(100), bytes), Err(close));
        }
    }
}
