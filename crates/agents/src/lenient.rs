//! Lenient reading of an upstream's JSON, as far as a reply needs it.
//!
//! Members that are not asked for may be of any type. Of equal keys the last counts, `NaN` and
//! `Infinity` are `null`, and a text may have halves of surrogate pairs: servers that cut text by
//! UTF-16 units send one character in two events. The clients of Python and JavaScript read all of
//! this.
use std::{borrow::Cow, fmt};

use quadrille_core::turn::RawJson;
use serde::{
    Deserializer,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess},
};
use serde_json::value::RawValue;

mod halves;

pub(crate) use halves::Halves;

/// A JSON text that is well-formed.
#[derive(Debug)]
pub(crate) struct Document<'a>(Cow<'a, str>);

/// A value as it was written. Reading it as another type finds nothing.
#[derive(Clone, Copy)]
pub(crate) struct Json<'a>(&'a str);

// === impl Document ===

impl<'a> Document<'a> {
    /// Parses a text. The error says where it is not JSON, and repeats nothing of it.
    pub(crate) fn read(text: &'a str) -> Result<Self, NotJson> {
        let text = text.trim_start_matches('\u{feff}').trim();
        let Err(err) = serde_json::from_str::<&RawValue>(text) else {
            return Ok(Self(text.into()));
        };
        let mended = without_odd_numbers(text);
        match serde_json::from_str::<&RawValue>(&mended) {
            Ok(_) => Ok(Self(mended.into())),
            Err(_) => Err(NotJson { column: err.column(), line: err.line() }),
        }
    }

    pub(crate) fn root(&self) -> Json<'_> {
        Json(&self.0)
    }
}

/// The place where a text is not JSON.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not JSON at line {line} column {column}")]
pub(crate) struct NotJson {
    line: usize,
    column: usize,
}

/// Replaces by `null` the numbers that Python writes and JSON does not have.
fn without_odd_numbers(text: &str) -> String {
    const ODD: [&str; 3] = ["-Infinity", "Infinity", "NaN"];
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', '-', 'I', 'N']) {
        let (before, found) = rest.split_at(at);
        mended.push_str(before);
        let odd = ODD.into_iter().find(|odd| found.starts_with(odd));
        let len = match odd {
            Some(odd) => odd.len(),
            None if found.starts_with('"') => quoted(found),
            None => 1,
        };
        let (token, after) = found.split_at(len);
        mended.push_str(if odd.is_some() { "null" } else { token });
        rest = after;
    }
    mended + rest
}

/// Bytes of the string at the begin of `text`, quotes included.
fn quoted(text: &str) -> usize {
    let mut escaped = true;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

// === impl Json ===

impl<'a> Json<'a> {
    pub(crate) const NULL: Self = Self("null");

    /// The value as it was written.
    pub(crate) fn raw(self) -> &'a str {
        self.0
    }

    fn first(self) -> u8 {
        self.0.bytes().next().unwrap_or_default()
    }

    pub(crate) fn is_null(self) -> bool {
        self.first() == b'n'
    }

    pub(crate) fn is_object(self) -> bool {
        self.first() == b'{'
    }

    pub(crate) fn is_string(self) -> bool {
        self.first() == b'"'
    }

    /// Whether the value is set: neither `null`, `false`, 0 nor empty.
    pub(crate) fn is_set(self) -> bool {
        match self.first() {
            b'n' | b'f' => false,
            b'"' => self.0.len() > 2,
            b'{' | b'[' => {
                self.0.bytes().filter(|byte| !byte.is_ascii_whitespace()).nth(2).is_some()
            }
            b'-' | b'0'..=b'9' => self.0.bytes().any(|byte| matches!(byte, b'1'..=b'9')),
            _ => true,
        }
    }

    /// The members of these names, `null` for missing ones.
    pub(crate) fn members<const N: usize>(self, names: [&str; N]) -> [Self; N] {
        if !self.is_object() {
            return [Self::NULL; N];
        }
        let mut deserializer = serde_json::Deserializer::from_str(self.0);
        deserializer.deserialize_map(Members(names)).unwrap_or([Self::NULL; N])
    }

    pub(crate) fn get(self, name: &str) -> Self {
        let [member] = self.members([name]);
        member
    }

    /// The items of a list.
    pub(crate) fn items(self) -> Vec<Self> {
        if self.first() != b'[' {
            return Vec::new();
        }
        let mut deserializer = serde_json::Deserializer::from_str(self.0);
        deserializer.deserialize_seq(Items).unwrap_or_default()
    }

    /// The string, with U+FFFD for halves of pairs.
    pub(crate) fn string(self) -> Option<String> {
        self.wtf8().map(|text| Halves::alone(&text))
    }

    /// The string in WTF-8, which can hold halves of pairs.
    fn wtf8(self) -> Option<Cow<'a, [u8]>> {
        if !self.is_string() {
            return None;
        }
        serde_json::Deserializer::from_str(self.0).deserialize_bytes(Bytes).ok()
    }

    pub(crate) fn number(self) -> Option<u64> {
        if self.is_string() {
            return self.string()?.trim().parse().ok();
        }
        self.0.parse().ok()
    }

    /// The text in WTF-8: a string, a number as it was written, or the text in a list of parts or in
    /// one of them. Thoughts, pictures and calls among the parts are left out.
    pub(crate) fn words(self) -> Option<Cow<'a, [u8]>> {
        match self.first() {
            b'"' => self.wtf8(),
            b'-' | b'0'..=b'9' => Some(self.0.as_bytes().into()),
            b'{' => self.part(),
            b'[' => {
                let words = self.items().into_iter().filter_map(|item| match item.first() {
                    b'"' => item.wtf8(),
                    _ => item.part(),
                });
                Some(words.fold(Vec::new(), |all, word| [&all, &*word].concat()).into())
            }
            _ => None,
        }
    }

    /// [`Self::words`] with U+FFFD for halves.
    pub(crate) fn text(self) -> Option<String> {
        self.words().map(|text| Halves::alone(&text))
    }

    /// The value as it was written; of a string, the JSON that it contains, or else the string.
    pub(crate) fn value(self) -> RawJson {
        match self.string() {
            Some(text) => RawJson::of(&text),
            None => RawJson::of(self.0),
        }
    }

    /// The text of a part of a message.
    fn part(self) -> Option<Cow<'a, [u8]>> {
        const TEXTS: [&str; 5] = ["text", "output_text", "text_delta", "refusal", "input_text"];
        let [kind, text, content, refusal] = self.members(["type", "text", "content", "refusal"]);
        if kind.string().is_some_and(|kind| !TEXTS.contains(&&*kind)) {
            return None;
        }
        let all = [text, text.get("value"), content, refusal];
        all.into_iter().find_map(Self::wtf8)
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Visits an object for the members of these names.
struct Members<'n, const N: usize>([&'n str; N]);

impl<'de, const N: usize> de::Visitor<'de> for Members<'_, N> {
    type Value = [Json<'de>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [Json::NULL; N];
        while let Some(at) = map.next_key_seed(Wanted(&self.0))? {
            match at.and_then(|at| found.get_mut(at)) {
                Some(place) => *place = Json(map.next_value::<&RawValue>()?.get()),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

/// Finds a key among the names; as bytes, since it may have halves of pairs, too.
struct Wanted<'n>(&'n [&'n str]);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl de::Visitor<'_> for Wanted<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E: de::Error>(self, key: &[u8]) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| name.as_bytes() == key))
    }
}

struct Items;

impl<'de> de::Visitor<'de> for Items {
    type Value = Vec<Json<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<&RawValue>()? {
            items.push(Json(item.get()));
        }
        Ok(items)
    }
}

struct Bytes;

impl<'de> de::Visitor<'de> for Bytes {
    type Value = Cow<'de, [u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(bytes.into())
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(bytes.to_vec().into())
    }
}

#[cfg(test)]
mod tests;
