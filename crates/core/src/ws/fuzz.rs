//! Properties that hold for all bytes of a WebSocket. Each function is a target of `cargo xtask
//! fuzz`; the tests replay its seeds. The reference is tungstenite.
use std::io::{self, Read, Write};

use http::{HeaderMap, HeaderValue, header};
use reqwest::Url;
use tungstenite::protocol::{self, Role, WebSocket, WebSocketConfig};

use super::{
    Origins,
    frame::Frames,
    input::{ClientMessage, InputBuffer},
};
use crate::Close;

/// Upper bound on a message.
const MAX: usize = 512;

/// Upper bound on a message for the client, in bytes.
const LONG: usize = 1 << 20;

/// A message that was read.
#[derive(Debug, PartialEq)]
enum Received {
    Text(String),
    Binary,
    Ping(Vec<u8>),
    Pong,
}

#[derive(Debug, PartialEq)]
enum ReadEnd {
    /// More may follow.
    Open,
    Closed,
    Failed(Option<Close>),
}

/// Checks that bytes are the same messages however they are cut and however often the reader
/// pauses, and those that the reference reads. The first byte selects the cuts.
pub fn input(data: &[u8]) {
    let Some((&cuts, bytes)) = data.split_first() else { return };
    let (ours, end) = received(bytes, None);
    let cut = received(bytes, Some(cuts));
    assert_eq!((&cut.0, &cut.1), (&ours, &end), "cut with {cuts}");
    let (theirs, their_end) = reference(bytes, Role::Server);
    let both = ours.len().min(theirs.len());
    assert_eq!(ours.get(..both), theirs.get(..both));
    let (more, their_more) = (ours.get(both..), theirs.get(both..));
    let (more, their_more) = (more.unwrap_or_default(), their_more.unwrap_or_default());
    let control = |message: &Received| matches!(message, Received::Ping(_) | Received::Pong);
    match (end, their_end) {
        // It accepts control frames with an extended length (RFC 6455, 5.5), and goes on.
        (ReadEnd::Failed(Some(close)), _) if more.is_empty() => {
            assert!(their_more.is_empty() || close == Close::PROTOCOL, "{their_more:?}");
            assert!(their_more.first().is_none_or(control), "{their_more:?}");
        }
        // It checks each fragment of a text, and so finds sooner that it is not UTF-8.
        (_, ReadEnd::Failed(_)) => {
            assert!(their_more.is_empty() && more.iter().all(control), "{more:?}");
        }
        (end, their_end) => {
            assert!(more.is_empty() && their_more.is_empty(), "{more:?} {their_more:?}");
            assert_eq!(end, their_end);
        }
    }
}

/// Checks that the reference reads what is written, and so does [`InputBuffer`] once it is masked.
/// The first bytes are the mask and the length of the text.
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
    let received = [Received::Ping(Vec::new()), Received::Text(text.clone()), Received::Pong];
    let (got, end) = reference(&bytes, Role::Client);
    assert_eq!((got.as_slice(), end), (received.as_slice(), ReadEnd::Closed));
    let mut bytes = Vec::new();
    Frames::new(&mut bytes).text(&text);
    let header = bytes.len() - text.len();
    let mut payload = bytes.split_off(header);
    let mask = [*a, *b, *c, *d];
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    bytes[1] |= 0x80;
    bytes.extend(mask);
    bytes.extend(payload);
    let mut input = InputBuffer::new(LONG);
    let mut got = None;
    let fed = input.feed(&mut bytes, |message| {
        got = matches!(message, ClientMessage::Text(read) if read == text).then_some(());
        true
    });
    assert_eq!((fed, got), (Ok(()), Some(())));
}

/// Reads the messages in `bytes`, fed whole, or in parts and with pauses.
fn received(bytes: &[u8], cuts: Option<u8>) -> (Vec<Received>, ReadEnd) {
    let mut dice = u32::from(cuts.unwrap_or(0));
    let mut below = move |bound: u32| {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (dice >> 16) % bound
    };
    let mut input = InputBuffer::new(MAX);
    let (mut received, mut closed) = (Vec::new(), false);
    let mut rest = bytes.to_vec();
    let mut paused = false;
    while paused || !rest.is_empty() {
        let part = match cuts {
            // A reader that paused first gets what is pending.
            _ if paused => 0,
            Some(0) => 1,
            Some(_) => below(12) as usize + 1,
            None => rest.len(),
        };
        let after = rest.split_off(part.min(rest.len()));
        paused = false;
        let fed = input.feed(&mut rest, |message| {
            match message {
                ClientMessage::Text(text) => received.push(Received::Text(text.to_owned())),
                ClientMessage::Binary => received.push(Received::Binary),
                ClientMessage::Ping(payload) => received.push(Received::Ping(payload.to_vec())),
                ClientMessage::Pong => received.push(Received::Pong),
                ClientMessage::Close(_) => closed = true,
            }
            paused = !closed && cuts.is_some() && below(4) == 0;
            !paused && !closed
        });
        rest = after;
        match fed {
            _ if closed => return (received, ReadEnd::Closed),
            Err(close) => return (received, ReadEnd::Failed(Some(close))),
            Ok(()) => {}
        }
    }
    (received, ReadEnd::Open)
}

/// Reads the messages in `bytes` with tungstenite.
fn reference(bytes: &[u8], role: Role) -> (Vec<Received>, ReadEnd) {
    let max = if role == Role::Server { MAX } else { LONG };
    let config = WebSocketConfig::default().max_message_size(Some(max)).max_frame_size(Some(max));
    let mut socket = WebSocket::from_raw_socket(ByteStream(bytes), role, Some(config));
    let mut received = Vec::new();
    loop {
        match socket.read() {
            Ok(protocol::Message::Text(text)) => {
                received.push(Received::Text(text.as_str().to_owned()));
            }
            Ok(protocol::Message::Binary(_)) => received.push(Received::Binary),
            Ok(protocol::Message::Ping(payload)) => received.push(Received::Ping(payload.to_vec())),
            Ok(protocol::Message::Pong(_)) => received.push(Received::Pong),
            Ok(protocol::Message::Close(_)) => return (received, ReadEnd::Closed),
            Ok(protocol::Message::Frame(_)) => unreachable!("not when reading"),
            Err(tungstenite::Error::Io(_)) => return (received, ReadEnd::Open),
            Err(_) => return (received, ReadEnd::Failed(None)),
        }
    }
}

/// A stream that gives its bytes and then would block, and takes everything.
struct ByteStream<'a>(&'a [u8]);

impl Read for ByteStream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { self.0.read(into) }
    }
}

impl Write for ByteStream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Checks that exactly the pages are allowed that are listed, of this machine where the request is
/// for this machine, or of the request's own host where that is allowed; as browsers parse an
/// origin. Lines: origin, host, a listed origin.
pub fn origin(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut line = || lines.next().and_then(|line| HeaderValue::from_bytes(line).ok());
    let (Some(origin), Some(host)) = (line(), line()) else { return };
    let listed =
        line().and_then(|value| value.to_str().ok().map(str::to_owned)).unwrap_or_default();
    let Some(page) = origin.to_str().ok().map(str::to_owned) else { return };
    let Ok(url) = Url::parse(&page) else { return };
    let headers =
        HeaderMap::from_iter([(header::ORIGIN, origin.clone()), (header::HOST, host.clone())]);
    let host = host.to_str().unwrap_or_default().to_ascii_lowercase();
    let parts = |url: &Url| {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        (url.scheme().to_owned(), host, url.port_or_known_default())
    };
    let below = |listed: &str| {
        let above = Url::parse(&listed.replacen("://*.", "://", 1)).ok();
        let is_below = |above: &Url| {
            let ((scheme, host, port), (its, above, its_port)) = (parts(&url), parts(above));
            (scheme, port) == (its, its_port) && host.ends_with(&format!(".{above}"))
        };
        listed.contains("://*.") && above.as_ref().is_some_and(is_below)
    };
    let same = || Url::parse(&listed).is_ok_and(|listed| parts(&listed) == parts(&url));
    let origins = Origins::new(&[&listed]);
    let is_usable = origins.is_ok();
    let may_be_listed = is_usable && (listed == "*" || same() || below(&listed));
    let is_listed = is_usable && (listed == "*" || page.eq_ignore_ascii_case(&listed));
    let is_web = matches!(url.scheme(), "http" | "https");
    let is_local = is_web && matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let may_ask_locally = ["localhost", "127.", "["].iter().any(|local| host.contains(local));
    let asks_locally = !is_usable && matches!(&*host, "localhost" | "127.0.0.1" | "[::1]:8080");
    let asked = Url::parse(&format!("{}://{host}", url.scheme())).ok();
    // The spelling that a browser sends for this page.
    let is_plain = url.origin().ascii_serialization() == page;
    for own in [false, true] {
        let origins = Origins::new(&[&listed]).unwrap_or_default().with_own(own, None);
        let allowed = origins.check(&headers).is_ok();
        let is_own =
            own && is_web && asked.as_ref().is_some_and(|asked| asked.origin() == url.origin());
        let may = may_be_listed || is_own || is_local && may_ask_locally;
        assert!(!allowed || may, "{page:?} of {host:?}, listed {listed:?}");
        let must = is_plain && (is_listed || is_local && asks_locally);
        assert!(allowed || !must, "{page:?} {listed:?}");
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

    #[test]
    fn no_seed_lets_a_page_in_that_is_from_elsewhere() {
        replay("origin", origin);
    }
}
