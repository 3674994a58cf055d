//! The part of a file that a request asks for (RFC 9110, 14).
use std::ops::Range;

use http::{HeaderMap, header};

/// The part to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RequestedRange {
    Whole,
    Part(Range<u64>),
    /// The file has no such part.
    Nothing,
}

impl RequestedRange {
    /// Reads the headers for a file of `size` bytes and `etag`. Anything but one range of bytes means
    /// the whole file, as does a range of another version.
    pub(super) fn of(headers: &HeaderMap, size: u64, etag: &str) -> Self {
        let mut sent = headers.get_all(header::RANGE).iter();
        let (Some(range), None) = (sent.next(), sent.next()) else { return Self::Whole };
        if headers.get(header::IF_RANGE).is_some_and(|tag| tag != etag) {
            return Self::Whole;
        }
        range.to_str().ok().and_then(|range| Self::parse(range, size)).unwrap_or(Self::Whole)
    }

    fn parse(range: &str, size: u64) -> Option<Self> {
        let (unit, range) = range.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        if !first.bytes().chain(last.bytes()).all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // A number that is too large means the end of the file.
        let number = |digits: &str| digits.parse().unwrap_or(u64::MAX);
        let part = match (first, last) {
            ("", "") => return None,
            ("", count) => size.saturating_sub(number(count))..size,
            (first, "") => number(first)..size,
            (first, last) if number(first) > number(last) => return None,
            (first, last) => number(first)..number(last).saturating_add(1).min(size),
        };
        Some(if part.is_empty() { Self::Nothing } else { Self::Part(part) })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn wanted(range: &str, size: u64) -> RequestedRange {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_str(range).unwrap());
        RequestedRange::of(&headers, size, "\"a\"")
    }

    #[test]
    fn one_range_of_bytes_is_a_part() {
        let parts = [
            ("bytes=0-0", 0..1),
            ("bytes=2-", 2..10),
            ("bytes=-3", 7..10),
            ("bytes=-30", 0..10),
            ("Bytes = 8-99", 8..10),
            ("bytes=9-99999999999999999999999", 9..10),
        ];
        for (range, part) in parts {
            assert_eq!(wanted(range, 10), RequestedRange::Part(part), "{range}");
        }
        for range in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(wanted(range, 10), RequestedRange::Nothing, "{range}");
        }
        assert_eq!(wanted("bytes=0-", 0), RequestedRange::Nothing);
    }

    #[test]
    fn everything_else_is_the_whole() {
        let others = [
            "bytes=0-1,3-4",
            "bytes=5-2",
            "bytes=-",
            "bytes=a-b",
            "bytes=+1-2",
            "0-1",
            "lines=0-1",
            "",
        ];
        for range in others {
            assert_eq!(wanted(range, 10), RequestedRange::Whole, "{range}");
        }
        let mut headers = HeaderMap::new();
        headers.append(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        assert_eq!(RequestedRange::of(&headers, 10, "\"a\""), RequestedRange::Part(0..2));
        headers.insert(header::IF_RANGE, HeaderValue::from_static("\"b\""));
        assert_eq!(RequestedRange::of(&headers, 10, "\"a\""), RequestedRange::Whole);
        headers.insert(header::IF_RANGE, HeaderValue::from_static("\"a\""));
        headers.append(header::RANGE, HeaderValue::from_static("bytes=3-4"));
        assert_eq!(RequestedRange::of(&headers, 10, "\"a\""), RequestedRange::Whole);
    }
}
