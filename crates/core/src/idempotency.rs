//! Keys that make a request safe to send again.
use std::{ops::Deref, str::FromStr, sync::Arc};

/// A client's promise that requests with the same key are the same request. 1 to
/// [`Self::MAX`] bytes without control characters. Cloning is a reference count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Arc<str>);

/// The text is no key.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("a key is 1 to {} bytes without control characters", IdempotencyKey::MAX)]
pub struct BadIdempotencyKey;

impl IdempotencyKey {
    /// Bytes of the longest key.
    pub const MAX: usize = 255;

    /// The header that carries one.
    pub const HEADER: &str = "idempotency-key";

    /// Reads the values of [`Self::HEADER`], as text or as a structured string (RFC 9651, 3.3.3).
    /// `None` if there are none; fails if there are several.
    pub fn from_header<'a>(
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, BadIdempotencyKey> {
        let mut values = values.into_iter();
        let Some(value) = values.next() else { return Ok(None) };
        let is_text = value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
        if !is_text || values.next().is_some() {
            return Err(BadIdempotencyKey);
        }
        let text = str::from_utf8(value).map_err(|_| BadIdempotencyKey)?.trim();
        let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        quoted.unwrap_or(text).parse().map(Some)
    }
}

impl FromStr for IdempotencyKey {
    type Err = BadIdempotencyKey;

    fn from_str(text: &str) -> Result<Self, BadIdempotencyKey> {
        let is_key = (1..=Self::MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        if is_key { Ok(Self(text.into())) } else { Err(BadIdempotencyKey) }
    }
}

impl Deref for IdempotencyKey {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_and_printable() {
        let longest = "x".repeat(255);
        for good in ["k", " ", "Grüße", &longest] {
            assert_eq!(good.parse::<IdempotencyKey>().as_deref(), Ok(good));
        }
        for bad in ["", "a\nb", "\u{85}", &format!("{longest}x")] {
            assert_eq!(bad.parse::<IdempotencyKey>(), Err(BadIdempotencyKey), "{bad:?}");
        }
    }

    #[test]
    fn a_header_is_one_text_or_one_structured_string() {
        let read = |values: &[&'static [u8]]| {
            IdempotencyKey::from_header(values.iter().copied())
                .map(|key| key.map(|key| key.to_string()))
        };
        assert_eq!(read(&[]), Ok(None));
        for value in [&b"k"[..], b" k\t", b"\"k\""] {
            assert_eq!(read(&[value]), Ok(Some("k".to_owned())));
        }
        assert_eq!(read(&[b"\"k"]), Ok(Some("\"k".to_owned())));
        for values in [&[&b""[..]][..], &[b"\"\""], &[b"k", b"k"], &[b"k\xE9"], &[b"a\tb"]] {
            assert_eq!(read(values), Err(BadIdempotencyKey), "{values:?}");
        }
    }
}
