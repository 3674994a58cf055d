//! Texts that a spreadsheet program would run as formulas when it opens a text file.
use std::borrow::Cow;

/// Adds an apostrophe before a text that begins like a formula. Signed numbers, and other texts
/// without letters or references such as phone numbers, stay as they are.
pub(crate) fn defuse(text: &str) -> Cow<'_, str> {
    if is_formula(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// Most bytes of a signed number, or of another harmless text after a sign.
const MAX_NUMBER_LEN: usize = 1000;

/// Returns whether `text` begins like a formula.
pub(crate) fn is_formula(text: &str) -> bool {
    let mut characters = text.chars();
    match characters.next() {
        // Full-width forms begin a formula, too, in Japanese and Chinese programs.
        Some('=' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => true,
        Some('+' | '-') => {
            let harmless = |c: char| c.is_ascii_digit() || " .,()-/:%".contains(c);
            let rest = characters.as_str();
            text.len() > MAX_NUMBER_LEN
                || (!rest.chars().all(harmless) && rest.parse::<f64>().is_err())
        }
        _ => false,
    }
}

/// Defuses a CSV file that was written with plain values, in a stream: adds one byte for each cell
/// that begins like a formula.
#[derive(Debug, Default)]
pub struct Defuse {
    /// The beginning of a cell that may be a formula, as written.
    pending: Vec<u8>,
    state: State,
    decided: bool,
    added: u64,
}

/// Position within a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    Plain,
    Quoted,
    /// After a quote that closes the cell, or is the first of two.
    Closed,
}

// === impl Defuse ===

impl Defuse {
    /// Reads more of the file, and appends what is ready to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for byte in bytes {
            let quoted = match (self.state, byte) {
                (State::Quoted, b'"') => State::Closed,
                (State::Quoted, _) | (State::Start | State::Closed, b'"') => State::Quoted,
                (_, b',' | b'\n') => {
                    self.decide(out);
                    out.push(*byte);
                    self.state = State::Start;
                    self.decided = false;
                    continue;
                }
                _ => State::Plain,
            };
            self.state = quoted;
            if self.decided {
                out.push(*byte);
                continue;
            }
            self.pending.push(*byte);
            if !self.may_be_formula() || self.pending.len() > MAX_NUMBER_LEN + 2 {
                self.decide(out);
            }
        }
    }

    /// Ends the file, and returns the number of defused cells.
    pub fn finish(mut self, out: &mut Vec<u8>) -> u64 {
        self.decide(out);
        self.added
    }

    /// Returns whether the first character allows a formula.
    fn may_be_formula(&self) -> bool {
        let text = self.pending.strip_prefix(b"\"").unwrap_or(&self.pending);
        match text.first() {
            None => true,
            // Full-width forms, and others.
            Some(0xef) => text.len() < 3 || is_formula(&String::from_utf8_lossy(&text[..3])),
            Some(first) => matches!(first, b'=' | b'@' | b'\t' | b'\r' | b'\n' | b'+' | b'-'),
        }
    }

    /// Writes the pending bytes.
    fn decide(&mut self, out: &mut Vec<u8>) {
        if !self.decided {
            let quoted = self.pending.strip_prefix(b"\"");
            let text = quoted.unwrap_or(&self.pending);
            let text = String::from_utf8_lossy(text);
            // The closing quote is not part of the text.
            let text = match (quoted, self.state) {
                (Some(_), State::Closed) => text.strip_suffix('"').unwrap_or(&text),
                _ => &text,
            };
            let quote = quoted.map_or(&b""[..], |_| b"\"");
            out.extend_from_slice(quote);
            if is_formula(text) {
                self.added += 1;
                out.push(b'\'');
            }
            out.extend_from_slice(self.pending.get(quote.len()..).unwrap_or_default());
        }
        self.pending.clear();
        self.decided = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_like_a_formula_is_defused() {
        for text in ["=1+1", "@SUM(A1)", "+A1", "-cmd|' /C calc'!A0", "\t=1", "\r=1", "＝1", "+1+1"]
        {
            assert_eq!(defuse(text), format!("'{text}"));
        }
        for text in ["", "-1", "-1.5e-7", "+1 (555) 123-4567", "-", "a=1", " =1", "-inf", "x@y"] {
            assert_eq!(defuse(text), text);
        }
    }

    #[test]
    fn a_download_is_the_file_with_an_apostrophe_before_each_formula() {
        let cases = [
            ("a,b\n=1,x\n", "a,b\n'=1,x\n", 1),
            ("=h,\"@x\"\n-1,+A1\n", "'=h,\"'@x\"\n-1,'+A1\n", 3),
            ("\"=1,2\",\"say \"\"=hi\"\"\"\n", "\"'=1,2\",\"say \"\"=hi\"\"\"\n", 1),
            ("'=1,\"'=1\"\n", "'=1,\"'=1\"\n", 0),
            ("\"\"\n\"-1\"\n\"-\"\"1\"\n", "\"\"\n\"-1\"\n\"'-\"\"1\"\n", 1),
            ("\"\n=1\n,\"\n", "\"'\n=1\n,\"\n", 1),
            ("＝1,ＡＢ,\u{feff}x\n", "'＝1,ＡＢ,\u{feff}x\n", 1),
            ("-x", "'-x", 1),
            ("", "", 0),
        ];
        for (raw, download, added) in cases {
            for size in 1..=raw.len().max(1) {
                let (mut defuse, mut out) = (Defuse::default(), Vec::new());
                raw.as_bytes().chunks(size).for_each(|piece| defuse.push(piece, &mut out));
                assert_eq!(defuse.finish(&mut out), added, "{raw}");
                assert_eq!(String::from_utf8(out).unwrap(), download, "{raw} by {size}");
            }
        }
        let long = format!("-{}", "1".repeat(2000));
        let (mut defuse, mut out) = (Defuse::default(), Vec::new());
        defuse.push(long.as_bytes(), &mut out);
        assert_eq!((defuse.finish(&mut out), is_formula(&long)), (1, true));
    }
}
