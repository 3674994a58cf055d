//! What is read of a payload without taking it apart: how deep it is, and which message it is of.
use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, value::MapAccessDeserializer},
};

use crate::{Key, Text};

/// The byte order mark, which some programs put before JSON. It means nothing there (RFC 8259, 8.1).
pub const MARK: char = '\u{feff}';

/// A `T` that is written as an object. What serde derives for a struct also takes a list of its
/// members, in their order, which no client means.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// Levels of nesting that are accepted, and so passed on to other clients' parsers.
pub const DEPTH: usize = 128;

/// Whether the nesting exceeds [`DEPTH`]. Most texts do not have as many brackets at all, which is
/// cheap to see.
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

/// What a message is known by among its updates, each of which supersedes the one before.
pub fn message_id(payload: &str) -> Option<Key> {
    #[derive(Deserialize)]
    struct Message {
        message_id: Option<String>,
    }
    let Object::<Message>(message) = serde_json::from_str(payload).ok()?;
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
    fn a_message_is_known_by_its_id_if_that_is_a_text() {
        let id = |payload| message_id(payload).as_deref().map(str::to_owned);
        let payloads = [r#"{"message_id":"1","n":2}"#, r#"{"message_id":1}"#, r#"["1"]"#, "{}"];
        assert_eq!(payloads.map(id), [Some("1".to_owned()), None, None, None]);
    }
}
