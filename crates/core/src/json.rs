//! Reads JSON as clients write it: depth, halves of surrogate pairs, and the id of a message.
use std::{fmt, marker::PhantomData, sync::OnceLock};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, MapAccess, value::MapAccessDeserializer},
};

use crate::{EventKey, Text};

/// The byte order mark, which some programs put before JSON and parsers may ignore (RFC 8259, 8.1).
pub const MARK: char = '\u{feff}';

/// A `T` that is written as an object. The derive of serde also accepts a list of the members in
/// their order, which no client means.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for ObjectVisitor<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

/// Levels of nesting that are accepted, and so passed on to other clients' parsers.
pub const DEPTH: usize = 128;

/// Whether the nesting exceeds [`DEPTH`]. Cheap for texts with fewer brackets than that.
pub fn is_deep(text: &str) -> bool {
    let opens = |byte: &u8| matches!(byte, b'[' | b'{');
    if text.bytes().filter(|byte| opens(byte)).count() <= DEPTH {
        return false;
    }
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH {
            return true;
        }
    }
    false
}

/// Reads JSON as clients write it: a half of a surrogate pair in a string, which JavaScript and Python
/// send of a text that was cut, is U+FFFD. Text that is only passed on stays as it was.
pub fn read<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str(text).or_else(|err| match without_halves(text) {
        Some(copy) => serde_json::from_str(&copy),
        None => Err(err),
    })
}

/// [`read`] that borrows from the text, or from a `copy` that is made if it is needed.
pub fn read_in<'a, T: Deserialize<'a>>(
    text: &'a str,
    copy: &'a OnceLock<String>,
) -> serde_json::Result<T> {
    serde_json::from_str(text).or_else(|err| match without_halves(text) {
        Some(changed) => serde_json::from_str(copy.get_or_init(|| changed)),
        None => Err(err),
    })
}

/// A copy of the JSON `text` with `\ufffd` for each half of a surrogate pair that is alone; `None` if
/// there is none.
pub fn without_halves(text: &str) -> Option<String> {
    const ALONE: &str = "\\ufffd";
    let mut copy = String::new();
    let (mut done, mut at) = (0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        let from = at + found;
        let next = match (half(text, from), half(text, from + ALONE.len())) {
            (None, _) => {
                from + 1
                    + text
                        .get(from + 1..)
                        .and_then(|rest| rest.chars().next())
                        .map_or(0, char::len_utf8)
            }
            (Some(SurrogateHalf::First), Some(SurrogateHalf::Second)) => from + 2 * ALONE.len(),
            (Some(_), _) => {
                copy.push_str(text.get(done..from).unwrap_or_default());
                copy.push_str(ALONE);
                done = from + ALONE.len();
                done
            }
        };
        at = next;
    }
    if done == 0 {
        return None;
    }
    copy.push_str(text.get(done..).unwrap_or_default());
    Some(copy)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SurrogateHalf {
    First,
    Second,
}

/// The half that is written as an escape at this place.
fn half(text: &str, at: usize) -> Option<SurrogateHalf> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xD800..=0xDBFF => Some(SurrogateHalf::First),
        0xDC00..=0xDFFF => Some(SurrogateHalf::Second),
        _ => None,
    }
}

/// Reads the id of a message, under which each update supersedes the one before.
pub fn message_id(payload: &str) -> Option<EventKey> {
    #[derive(Deserialize)]
    struct WithMessageId {
        message_id: Option<String>,
    }
    let Object::<WithMessageId>(message) = read(payload).ok()?;
    message.message_id.map(Text::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_brackets_outside_of_texts_are_levels() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let wide = format!("[{}1]", "[],".repeat(1000));
        let quoted = format!(r#"["\"{}"]"#, nested(500));
        let deep = [nested(DEPTH), nested(DEPTH + 1), wide, quoted].map(|text| is_deep(&text));
        assert_eq!(deep, [false, true, false, false]);
    }

    #[test]
    fn halves_of_pairs_are_replaced_and_nothing_else_is() {
        let cases = [
            (r#""\ud83d""#, Some(r#""\ufffd""#)),
            (
                r#"{"\uDE00":"a\ud83d\ud83d\ude00b\uDBFF"}"#,
                Some(r#"{"\ufffd":"a\ufffd\ud83d\ude00b\ufffd"}"#),
            ),
            (r#""\ude00\ud83d""#, Some(r#""\ufffd\ufffd""#)),
            (r#""\ud83d\u0041 \ud83d\\ude00""#, Some(r#""\ufffd\u0041 \ufffd\\ude00""#)),
            (r#""\ud83d\ude00""#, None),
            (r#""\\ud83d \\\\ude00 \u00e8é""#, None),
            (r#""\ud83""#, None),
            ("\"\\", None),
            ("\"\\é", None),
            ("plain", None),
        ];
        for (text, expected) in cases {
            assert_eq!(without_halves(text).as_deref(), expected, "{text}");
        }
        assert_eq!(read::<String>(r#""a\ud83d""#).unwrap(), "a\u{fffd}");
        assert!(read::<String>(r#""\ud83d"#).is_err() && read::<u8>(r#""\ud83d""#).is_err());
        let copy = OnceLock::new();
        let (a, b): (&str, String) = read_in(r#"["x","\ude00"]"#, &copy).unwrap();
        assert_eq!((a, &*b), ("x", "\u{fffd}"));
    }

    #[test]
    fn a_message_is_known_by_its_id_if_that_is_a_text() {
        let id = |payload| message_id(payload).as_deref().map(str::to_owned);
        let payloads = [r#"{"message_id":"1","n":2}"#, r#"{"message_id":1}"#, r#"["1"]"#, "{}"];
        assert_eq!(payloads.map(id), [Some("1".to_owned()), None, None, None]);
    }
}
