//! Detects the encoding of a text file by reading all of it.
use std::{fs::File, path::Path};

use encoding_rs::WINDOWS_1252;
use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};

use super::file::{failed, fill, open};
use crate::{
    error::{Error, Unreadable},
    progress::Meter,
};

/// Encoding of a text file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    /// With a byte order mark.
    Utf16,
    /// One byte for each character, as older programs for western languages write it.
    Windows1252,
}

/// Evidence found in the bytes of a file.
#[derive(Debug, Default)]
struct EncodingEvidence {
    lines: u64,
    /// The first byte that Windows-1252 does not define, and its line.
    unknown: Option<(u64, u8)>,
    /// The first line with a character of several bytes.
    utf8: Option<u64>,
    /// The first line that is not UTF-8.
    other: Option<u64>,
}

/// Bytes that Windows-1252 does not define.
const UNKNOWN: [u8; 5] = [0x81, 0x8d, 0x8f, 0x90, 0x9d];

const BINARY: Unreadable =
    Unreadable::NotASpreadsheet("holds zero bytes: it is binary, or UTF-16 without a mark");

impl Encoding {
    pub(super) fn detect(path: &Path, meter: &mut Meter<'_>) -> Result<Self, Error> {
        let mut file = open(path)?;
        let mut block = vec![0; 256 << 10];
        let mut seen = EncodingEvidence::default();
        let mut kept = 0;
        let mut first = true;
        loop {
            let read = fill(&mut file, &mut block[kept..]).map_err(|err| failed(path, err))?;
            let (end, last) = (kept + read, read == 0);
            if first
                && let [mark @ (0xff | 0xfe), second, ..] = block[..end]
                && mark ^ second == 1
            {
                units(path, mark == 0xfe, meter)?;
                return Ok(Self::Utf16);
            }
            first = false;
            if block[kept..end].contains(&0) {
                return Err(BINARY.into());
            }
            kept = seen.account(&block[..end], last);
            block.copy_within(end - kept..end, 0);
            meter.advance(0.0)?;
            if last {
                break;
            }
        }
        match (seen.utf8, seen.other) {
            (Some(utf8), Some(other)) => Err(Unreadable::MixedEncodings { utf8, other }.into()),
            (None, Some(_)) if let Some((line, byte)) = seen.unknown => {
                Err(Unreadable::NoCharacter { line, byte }.into())
            }
            (None, Some(_)) => Ok(Self::Windows1252),
            (_, None) => Ok(Self::Utf8),
        }
    }

    /// Decodes `file` to UTF-8, without a byte order mark.
    pub(super) fn decode<R: std::io::Read>(self, file: R) -> DecodeReaderBytes<R, Vec<u8>> {
        let mut builder = DecodeReaderBytesBuilder::new();
        builder.strip_bom(true).utf8_passthru(true).bom_sniffing(true);
        if self == Self::Windows1252 {
            builder.encoding(Some(WINDOWS_1252));
        }
        builder.build(file)
    }

    pub(super) fn sample(self, path: &Path, bytes: u64) -> Result<Vec<u8>, Unreadable> {
        let mut sample = Vec::new();
        let mut file: DecodeReaderBytes<std::io::Take<File>, _> =
            self.decode(std::io::Read::take(open(path)?, bytes));
        std::io::Read::read_to_end(&mut file, &mut sample).map_err(|err| failed(path, err))?;
        Ok(sample)
    }
}

impl EncodingEvidence {
    /// Inspects `bytes`, and returns how many at their end belong to an incomplete character.
    fn account(&mut self, mut bytes: &[u8], last: bool) -> usize {
        loop {
            let (valid, wrong) = match std::str::from_utf8(bytes) {
                Ok(_) => (bytes, None),
                Err(error) => {
                    let (valid, rest) = bytes.split_at(error.valid_up_to());
                    let len = error.error_len().or(last.then_some(rest.len()));
                    (valid, Some((rest, len)))
                }
            };
            if self.utf8.is_none()
                && let Some(at) = valid.iter().position(|byte| !byte.is_ascii())
            {
                self.utf8 = Some(self.lines + 1 + line_ends(&valid[..at]));
            }
            self.lines += line_ends(valid);
            match wrong {
                None => return 0,
                Some((rest, None)) => return rest.len(),
                Some((rest, Some(len))) => {
                    self.other.get_or_insert(self.lines + 1);
                    let unknown = rest[..len].iter().find(|byte| UNKNOWN.contains(byte));
                    if let (None, Some(byte)) = (self.unknown, unknown) {
                        self.unknown = Some((self.lines + 1, *byte));
                    }
                    bytes = &rest[len..];
                }
            }
        }
    }
}

/// Checks a file of UTF-16. Fails with the line of an incomplete character.
fn units(path: &Path, big: bool, meter: &mut Meter<'_>) -> Result<(), Error> {
    let mut file = open(path)?;
    let mut block = vec![0; 256 << 10];
    let mut line = 1;
    let mut high = false;
    loop {
        let read = fill(&mut file, &mut block).map_err(|err| failed(path, err))?;
        let (pairs, rest) = block[..read].as_chunks::<2>();
        for pair in pairs {
            let unit = if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
            let low = matches!(unit, 0xdc00..=0xdfff);
            if high != low {
                return Err(Unreadable::HalfCharacter { line }.into());
            }
            high = matches!(unit, 0xd800..=0xdbff);
            line += u64::from(unit == u16::from(b'\n'));
        }
        if !rest.is_empty() || (high && read < block.len()) {
            return Err(Unreadable::HalfCharacter { line }.into());
        }
        meter.advance(0.0)?;
        if read < block.len() {
            return Ok(());
        }
    }
}

fn line_ends(bytes: &[u8]) -> u64 {
    bytes.split(|byte| *byte == b'\n').skip(1).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_may_be_cut_between_blocks() {
        let mut seen = EncodingEvidence::default();
        let text = "a\nb\né€".as_bytes();
        let kept = seen.account(&text[..text.len() - 1], false);
        assert_eq!(kept, 2);
        assert_eq!(seen.account(&text[text.len() - 3..], true), 0);
        assert_eq!((seen.utf8, seen.other), (Some(3), None));
        assert_eq!(seen.account(b"\nx\xe9", false), 1);
        assert_eq!(seen.account(b"\xe9", true), 0);
        assert_eq!((seen.utf8, seen.other), (Some(3), Some(4)));
    }
}
