//! Frames on the wire (RFC 6455, section 5).
use crate::Close;

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;

/// Upper bound on the payload of a control frame.
const CONTROL_MAX: usize = 125;

/// Header of a client's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) last: bool,
    pub(crate) opcode: u8,
    pub(crate) mask: [u8; 4],
    /// Bytes of the payload.
    pub(crate) len: usize,
    /// Bytes of the header itself.
    pub(crate) size: usize,
}

impl Header {
    /// Parses the header at the beginning of `bytes`; `None` if it is incomplete. Rejects a payload
    /// longer than `max` before it arrives.
    pub(crate) fn parse(bytes: &[u8], max: usize) -> Result<Option<Self>, Close> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (last, reserved, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0F);
        let (masked, short) = (second & 0x80 != 0, second & 0x7F);
        if reserved != 0 || !masked {
            return Err(Close::PROTOCOL);
        }
        let control = matches!(opcode, CLOSE | PING | PONG);
        if !control && !matches!(opcode, CONTINUATION | TEXT | BINARY) {
            return Err(Close::PROTOCOL);
        }
        if control && (!last || usize::from(short) > CONTROL_MAX) {
            return Err(Close::PROTOCOL);
        }
        let (len, rest) = match short {
            126 => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((len, rest)) => (u64::from_be_bytes(*len), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        if len > u64::MAX >> 1 {
            return Err(Close::PROTOCOL);
        }
        let len = usize::try_from(len).ok().filter(|len| *len <= max).ok_or(Close::TOO_BIG)?;
        let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        Ok(Some(Self { last, opcode, mask: *mask, len, size: bytes.len() - rest.len() }))
    }
}

/// Removes the client's masking, eight bytes at a time.
pub(crate) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= key;
    }
}

/// Writes frames one after the other into the bytes of one write.
#[derive(Debug)]
pub struct Frames<'a>(&'a mut Vec<u8>);

impl<'a> Frames<'a> {
    pub(crate) fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Writes a text message.
    pub fn text(&mut self, text: &str) {
        self.put(TEXT, text.as_bytes());
    }

    pub(crate) fn ping(&mut self) {
        self.put(PING, &[]);
    }

    pub(crate) fn pong(&mut self, payload: &[u8]) {
        self.put(PONG, payload);
    }

    pub(crate) fn close(&mut self, close: &Close) {
        let mut payload = close.code.to_be_bytes().to_vec();
        payload.extend_from_slice(close.reason.as_bytes());
        payload.truncate(CONTROL_MAX);
        self.put(CLOSE, &payload);
    }

    fn put(&mut self, opcode: u8, payload: &[u8]) {
        let first = 0x80 | opcode;
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(len @ ..=125), _) => self.0.extend_from_slice(&[first, len]),
            (_, Ok(len)) => {
                let [high, low] = len.to_be_bytes();
                self.0.extend_from_slice(&[first, 126, high, low]);
            }
            _ => {
                self.0.extend_from_slice(&[first, 127]);
                self.0.extend_from_slice(&(payload.len() as u64).to_be_bytes());
            }
        }
        self.0.extend_from_slice(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Option<Header>, Close> {
        Header::parse(bytes, 1 << 20)
    }

    #[test]
    fn a_header_is_read_once_it_is_whole() {
        let cases: [(&[u8], usize); 3] = [
            (&[0x81, 0x85, 1, 2, 3, 4], 5),
            (&[0x81, 0xFE, 0x01, 0x00, 1, 2, 3, 4], 256),
            (&[0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4], 65536),
        ];
        for (bytes, len) in cases {
            for cut in 0..bytes.len() {
                assert_eq!(parse(bytes.get(..cut).unwrap()), Ok(None));
            }
            let header =
                Header { last: true, opcode: TEXT, mask: [1, 2, 3, 4], len, size: bytes.len() };
            assert_eq!(parse(bytes), Ok(Some(header)));
        }
    }

    #[test]
    fn what_breaks_the_protocol_is_refused_before_the_payload_arrives() {
        let cases: [(&[u8], Close); 9] = [
            (&[0xC1, 0x80], Close::PROTOCOL),
            (&[0x81, 0x00], Close::PROTOCOL),
            (&[0x83, 0x80], Close::PROTOCOL),
            (&[0x8B, 0x80], Close::PROTOCOL),
            (&[0x09, 0x80], Close::PROTOCOL),
            (&[0x89, 0xFE], Close::PROTOCOL),
            (&[0x81, 0xFF, 0, 0, 0, 0, 0, 0x10, 0, 1], Close::TOO_BIG),
            (&[0x81, 0xFF, 0x7F, 0, 0, 0, 0, 0, 0, 0], Close::TOO_BIG),
            (&[0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], Close::PROTOCOL),
        ];
        for (bytes, close) in cases {
            assert_eq!(parse(bytes), Err(close), "{bytes:x?}");
        }
    }

    #[test]
    fn unmasking_is_the_same_for_every_length() {
        let mask = [0x11, 0x22, 0x33, 0x44];
        for len in 0..40_u8 {
            let plain: Vec<u8> = (0..len).collect();
            let mut masked: Vec<u8> =
                plain.iter().zip(mask.into_iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            unmask(&mut masked, mask);
            assert_eq!(masked, plain);
        }
    }

    #[test]
    fn a_frame_takes_the_shortest_length_there_is() {
        let cases: [(usize, &[u8]); 4] = [
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65535, &[0x81, 126, 0xFF, 0xFF]),
            (65536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ];
        for (len, header) in cases {
            let (mut bytes, text) = (Vec::new(), "x".repeat(len));
            Frames::new(&mut bytes).text(&text);
            assert!(bytes == [header, text.as_bytes()].concat(), "{len}");
        }
    }
}
