//! What no bytes may do to a WebSocket. Each function is a target of `cargo xtask fuzz`; the tests
//! replay its seeds. The reference is tungstenite.
use std::io::{self, Read, Write};

use quadrille_core::Close;
use tungstenite::protocol::{self, Role, WebSocket, WebSocketConfig};

use super::{
    frame::Frames,
    input::{Input, Message},
};

/// The largest message.
const MAX: usize = 512;

/// Bytes of a message that a client takes at most.
const LONG: usize = 1 << 20;

/// What came out of bytes.
#[derive(Debug, PartialEq)]
enum Heard {
    Text(String),
    Binary,
    Ping(Vec<u8>),
    Pong,
}

#[derive(Debug, PartialEq)]
enum End {
    /// It may go on.
    Open,
    Closed,
    Failed(Option<Close>),
}

/// However bytes are cut and however often the reader pauses, they are the same messages, and those
/// that the reference finds. The first byte says how to cut.
pub fn input(data: &[u8]) {
    let Some((&cuts, bytes)) = data.split_first() else { return };
    let (ours, end) = heard(bytes, None);
    let cut = heard(bytes, Some(cuts));
    assert_eq!((&cut.0, &cut.1), (&ours, &end), "cut with {cuts}");
    let (theirs, their_end) = reference(bytes, Role::Server);
    let both = ours.len().min(theirs.len());
    assert_eq!(ours.get(..both), theirs.get(..both));
    let (more, their_more) = (ours.get(both..), theirs.get(both..));
    let (more, their_more) = (more.unwrap_or_default(), their_more.unwrap_or_default());
    let control = |it: &Heard| matches!(it, Heard::Ping(_) | Heard::Pong);
    match (end, their_end) {
        // It takes control frames whose length is written long (RFC 6455, 5.5), and goes on.
        (End::Failed(Some(why)), _) if more.is_empty() => {
            assert!(their_more.is_empty() || why == Close::PROTOCOL, "{their_more:?}");
            assert!(their_more.first().is_none_or(control), "{their_more:?}");
        }
        // It looks at each fragment of a text, and so sees sooner that it is not UTF-8.
        (_, End::Failed(_)) => {
            assert!(their_more.is_empty() && more.iter().all(control), "{more:?}");
        }
        (end, their_end) => {
            assert!(more.is_empty() && their_more.is_empty(), "{more:?} {their_more:?}");
            assert_eq!(end, their_end);
        }
    }
}

/// What is written is read by the reference, and read here when a client masks it. The first bytes
/// are the mask and how long the text is.
pub fn output(data: &[u8]) {
    let Some(([a, b, c, d, len], text)) = data.split_first_chunk() else { return };
    let text = String::from_utf8_lossy(text);
    let text = match len {
        0..=0x7F => text.into_owned(),
        0x80..=0xF7 => text.repeat(usize::from(len & 0x7F).min(LONG / text.len().max(1))),
        _ => text.repeat(65_600 / text.len().max(1)),
    };
    let mut bytes = Vec::new();
    let ping = text.get(..9).unwrap_or_default().as_bytes();
    let mut frames = Frames::new(&mut bytes);
    frames.ping();
    frames.text(&text);
    frames.pong(ping);
    frames.close(&Close::SLOW);
    let heard = [Heard::Ping(Vec::new()), Heard::Text(text.clone()), Heard::Pong];
    let (got, end) = reference(&bytes, Role::Client);
    assert_eq!((got.as_slice(), end), (heard.as_slice(), End::Closed));
    let mut bytes = Vec::new();
    Frames::new(&mut bytes).text(&text);
    let header = bytes.len() - text.len();
    let mut payload = bytes.split_off(header);
    let mask = [*a, *b, *c, *d];
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    bytes[1] |= 0x80;
    bytes.extend(mask);
    bytes.extend(payload);
    let mut input = Input::new(LONG);
    let mut got = None;
    let fed = input.feed(&mut bytes, |message| {
        got = matches!(message, Message::Text(it) if it == text).then_some(());
        true
    });
    assert_eq!((fed, got), (Ok(()), Some(())));
}

/// The messages in `bytes` and how it ended, fed whole, or in parts and with pauses.
fn heard(bytes: &[u8], cuts: Option<u8>) -> (Vec<Heard>, End) {
    let mut dice = u32::from(cuts.unwrap_or(0));
    let mut below = move |bound: u32| {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (dice >> 16) % bound
    };
    let mut input = Input::new(MAX);
    let (mut heard, mut closed) = (Vec::new(), false);
    let mut rest = bytes.to_vec();
    let mut paused = false;
    while paused || !rest.is_empty() {
        let part = match cuts {
            // A reader that paused is first asked for what is pending.
            _ if paused => 0,
            Some(0) => 1,
            Some(_) => below(12) as usize + 1,
            None => rest.len(),
        };
        let after = rest.split_off(part.min(rest.len()));
        paused = false;
        let fed = input.feed(&mut rest, |message| {
            match message {
                Message::Text(text) => heard.push(Heard::Text(text.to_owned())),
                Message::Binary => heard.push(Heard::Binary),
                Message::Ping(payload) => heard.push(Heard::Ping(payload.to_vec())),
                Message::Pong => heard.push(Heard::Pong),
                Message::Close(_) => closed = true,
            }
            paused = !closed && cuts.is_some() && below(4) == 0;
            !paused && !closed
        });
        rest = after;
        match fed {
            _ if closed => return (heard, End::Closed),
            Err(why) => return (heard, End::Failed(Some(why))),
            Ok(()) => {}
        }
    }
    (heard, End::Open)
}

/// What tungstenite finds.
fn reference(bytes: &[u8], role: Role) -> (Vec<Heard>, End) {
    let max = if role == Role::Server { MAX } else { LONG };
    let config = WebSocketConfig::default().max_message_size(Some(max)).max_frame_size(Some(max));
    let mut socket = WebSocket::from_raw_socket(Wire(bytes), role, Some(config));
    let mut heard = Vec::new();
    loop {
        match socket.read() {
            Ok(protocol::Message::Text(text)) => heard.push(Heard::Text(text.as_str().to_owned())),
            Ok(protocol::Message::Binary(_)) => heard.push(Heard::Binary),
            Ok(protocol::Message::Ping(payload)) => heard.push(Heard::Ping(payload.to_vec())),
            Ok(protocol::Message::Pong(_)) => heard.push(Heard::Pong),
            Ok(protocol::Message::Close(_)) => return (heard, End::Closed),
            Ok(protocol::Message::Frame(_)) => unreachable!("not when reading"),
            Err(tungstenite::Error::Io(_)) => return (heard, End::Open),
            Err(_) => return (heard, End::Failed(None)),
        }
    }
}

/// Gives its bytes, then nothing yet; takes everything.
struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { self.0.read(into) }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::fuzz::replay::replay;

    #[test]
    fn no_seed_is_read_differently_when_it_is_cut() {
        replay("ws_input", input);
    }

    #[test]
    fn every_seed_is_written_so_that_it_can_be_read() {
        replay("ws_output", output);
    }
}
