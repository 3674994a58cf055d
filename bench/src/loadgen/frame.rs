//! The client's half of RFC 6455 framing: masked frames out, unmasked frames in.

use anyhow::{Result, bail};

/// The key of every frame sent. It is not zero, so the server pays for unmasking.
pub(crate) const MASK: [u8; 4] = [0x5a, 0xc3, 0x3c, 0x96];

pub(crate) const TEXT: u8 = 0x1;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
/// The length does not fit seven bits and follows in two bytes, or in eight.
const LEN_16: u8 = 126;
const LEN_64: u8 = 127;

/// One frame from the server. A fragment has the opcode [`Frame::FRAGMENT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) opcode: u8,
    pub(crate) payload: &'a [u8],
}

impl Frame<'_> {
    /// Opcode of a fragment, which no server measured sends.
    pub(crate) const FRAGMENT: u8 = 0xff;
}

/// Takes the first frame off `bytes` and returns it with what follows; `None` if it is not whole.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Frame<'_>, &[u8])>> {
    let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 || second & MASKED != 0 {
        bail!("the server sent a masked or extended frame: its header is {first:02x} {second:02x}");
    }
    let (len, rest) = match second {
        LEN_16 => match rest.split_first_chunk::<2>() {
            Some((len, rest)) => (usize::from(u16::from_be_bytes(*len)), rest),
            None => return Ok(None),
        },
        LEN_64 => match rest.split_first_chunk::<8>() {
            Some((len, rest)) => (usize::try_from(u64::from_be_bytes(*len))?, rest),
            None => return Ok(None),
        },
        short => (usize::from(short), rest),
    };
    let Some((payload, tail)) = rest.split_at_checked(len) else { return Ok(None) };
    let opcode = if first & FIN == 0 { Frame::FRAGMENT } else { first & 0x0f };
    Ok(Some((Frame { opcode, payload }, tail)))
}

/// Appends one whole masked frame to `out`.
pub(crate) fn encode(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(FIN | opcode);
    match payload.len() {
        len @ 0..126 => out.push(MASKED | u8::try_from(len).expect("below 126")),
        len @ 126..=0xffff => {
            out.push(MASKED | LEN_16);
            out.extend(u16::try_from(len).expect("at most 0xffff").to_be_bytes());
        }
        len => {
            out.push(MASKED | LEN_64);
            out.extend(u64::try_from(len).expect("usize has at most 64 bits").to_be_bytes());
        }
    }
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// How many bytes [`encode`] puts before a payload of `len` bytes.
pub(crate) const fn header_len(len: usize) -> usize {
    match len {
        0..126 => 6,
        126..=0xffff => 8,
        _ => 14,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut masked = Vec::new();
        encode(opcode, payload, &mut masked);
        let header = header_len(payload.len());
        let mut frame = masked[..header - MASK.len()].to_vec();
        frame[1] &= !MASKED;
        frame.extend(payload);
        frame
    }

    fn all(bytes: &[u8]) -> (Vec<(u8, usize)>, usize) {
        let (mut seen, mut rest) = (Vec::new(), bytes);
        while let Some((frame, tail)) = parse(rest).unwrap() {
            seen.push((frame.opcode, frame.payload.len()));
            rest = tail;
        }
        (seen, rest.len())
    }

    #[test]
    fn every_length_form_is_read_back() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536] {
            let payload = vec![b'x'; len];
            let bytes = server_frame(TEXT, &payload);
            let expected = Frame { opcode: TEXT, payload: &payload };
            assert_eq!(parse(&bytes).unwrap(), Some((expected, &[][..])));
        }
    }

    #[test]
    fn frames_split_at_every_byte_are_the_same_frames() {
        let mut stream = Vec::new();
        for (opcode, len) in [(TEXT, 5), (PING, 0), (TEXT, 300), (TEXT, 126), (CLOSE, 2)] {
            stream.extend(server_frame(opcode, &vec![b'x'; len]));
        }
        let (whole, left) = all(&stream);
        assert_eq!((whole.len(), left), (5, 0));
        for cut in 0..=stream.len() {
            let (mut seen, left) = all(&stream[..cut]);
            let (more, nothing) = all(&stream[cut - left..]);
            seen.extend(more);
            assert_eq!((seen, nothing), (whole.clone(), 0), "cut at {cut}");
        }
    }

    #[test]
    fn a_client_frame_is_masked_and_as_long_as_announced() {
        let mut out = Vec::new();
        encode(TEXT, b"Hello", &mut out);
        assert_eq!(out[..6], [0x81, 0x85, 0x5a, 0xc3, 0x3c, 0x96]);
        assert_eq!(out[6..], [b'H' ^ 0x5a, b'e' ^ 0xc3, b'l' ^ 0x3c, b'l' ^ 0x96, b'o' ^ 0x5a]);
        assert_eq!(out.len(), header_len(5) + 5);
    }

    #[test]
    fn fragments_are_told_apart_and_masked_frames_refused() {
        let fragment = parse(&[0x01, 0x01, b'x']).unwrap().unwrap().0;
        assert_eq!(fragment.opcode, Frame::FRAGMENT);
        assert!(parse(&[0x81, 0x80, 0, 0, 0, 0]).is_err());
        assert!(parse(&[0xc1, 0x00]).is_err());
    }
}
