//! Joining of texts that were cut between the halves of a surrogate pair.
use std::mem;

/// Joins the pieces of one text. A half that stays alone is U+FFFD, and nothing else of the text
/// changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Halves {
    /// The first half that the last piece ended with.
    first: Option<u32>,
}

/// Replaces a half that stays alone.
const LONE_HALF: char = char::REPLACEMENT_CHARACTER;

// === impl Halves ===

impl Halves {
    /// Decodes the next piece, which is WTF-8. A first half at its end waits for the second one.
    pub(crate) fn join(&mut self, piece: &[u8]) -> String {
        if self.first.is_none()
            && let Ok(text) = str::from_utf8(piece)
        {
            return text.to_owned();
        }
        let mut text = String::with_capacity(piece.len() + LONE_HALF.len_utf8());
        let mut rest = piece;
        while !rest.is_empty() {
            let valid = match str::from_utf8(rest) {
                Ok(valid) => valid.len(),
                Err(err) => err.valid_up_to(),
            };
            let (whole, after) = rest.split_at(valid);
            if !whole.is_empty() {
                text.extend(self.end());
                text.push_str(&String::from_utf8_lossy(whole));
            }
            rest = match after {
                [0xED, a @ 0xA0..=0xBF, b @ 0x80..=0xBF, after @ ..] => {
                    let unit = 0xD000 | (u32::from(a & 0x3F) << 6) | u32::from(b & 0x3F);
                    text.extend(self.half(unit));
                    after
                }
                [_, after @ ..] => {
                    text.extend(self.end());
                    text.push(LONE_HALF);
                    after
                }
                [] => after,
            };
        }
        text
    }

    /// Takes in a unit that is a half.
    fn half(&mut self, unit: u32) -> Option<char> {
        if unit < 0xDC00 {
            return self.first.replace(unit).map(|_| LONE_HALF);
        }
        let pair = |first: u32| 0x1_0000 + ((first - 0xD800) << 10) + (unit - 0xDC00);
        Some(self.first.take().map(pair).and_then(char::from_u32).unwrap_or(LONE_HALF))
    }

    /// Ends the text, or a run of halves: a half that waited stays alone.
    pub(crate) fn end(&mut self) -> Option<char> {
        mem::take(&mut self.first).map(|_| LONE_HALF)
    }

    /// Decodes a text that comes in one piece.
    pub(crate) fn alone(piece: &[u8]) -> String {
        let mut halves = Self::default();
        let mut text = halves.join(piece);
        text.extend(halves.end());
        text
    }
}
