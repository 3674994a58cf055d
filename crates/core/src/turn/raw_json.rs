//! A JSON value that is passed on as it was written.
use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::json;

/// A JSON value in its own spelling, so that `1.50` and numbers of any length stay as they are.
/// Cloning shares it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawJson(Arc<RawValue>);

// === impl RawJson ===

impl RawJson {
    /// Parses a JSON text. `None` if it is none, or one that is nested beyond [`json::DEPTH`]. A half
    /// of a surrogate pair in it is replaced by U+FFFD, as not every client could read it.
    pub fn parse(text: &str) -> Option<Self> {
        if json::is_deep(text) {
            return None;
        }
        let whole = json::without_halves(text);
        let value: Box<RawValue> = serde_json::from_str(whole.as_deref().unwrap_or(text)).ok()?;
        Some(Self(value.into()))
    }

    /// The value that `text` is written as, or `text` itself as a JSON string.
    pub fn of(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|| Self::string(text))
    }

    /// A JSON string.
    pub fn string(text: &str) -> Self {
        Self(to_raw_value(text).expect("a text is always JSON").into())
    }

    /// The JSON text.
    pub fn get(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for RawJson {}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_spelling_and_anything_else_is_a_string() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let cases = [
            ("12345678901234567890123", "12345678901234567890123"),
            (r#" {"a": 1.50, "a":1e5} "#, r#"{"a": 1.50, "a":1e5}"#),
            (r#""\ud83d""#, r#""\ufffd""#),
            ("{'a': 1}", r#""{'a': 1}""#),
            ("warm", r#""warm""#),
            ("", r#""""#),
        ];
        for (text, expected) in cases {
            assert_eq!(RawJson::of(text).get(), expected);
        }
        assert_eq!(RawJson::of(&deep).get(), format!("\"{deep}\""));
        let record: RawJson = serde_json::from_str("1.50").unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), "1.50");
    }
}
