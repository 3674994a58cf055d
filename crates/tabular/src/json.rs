//! JSON objects that keep their order, printed as clients of this protocol know them.
use std::fmt::Write as _;

use indexmap::IndexMap;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use crate::cell::float_text;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OrderedJson {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Array(Vec<OrderedJson>),
    Object(IndexMap<String, OrderedJson>),
}

/// Layout of printed JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout {
    /// One line, with spaces after commas and colons.
    Compact,
    /// Indented by two spaces for each level.
    Pretty,
}

// === impl OrderedJson ===

impl OrderedJson {
    /// Appends the value to `text`. Its nesting depth is `depth`.
    pub(crate) fn print(&self, layout: Layout, depth: usize, text: &mut String) {
        match self {
            Self::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
            Self::Int(number) => {
                write!(text, "{number}").expect("a string takes all that is written");
            }
            Self::Float(number) if number.is_finite() => text.push_str(&float_text(*number)),
            // JSON has no such number.
            Self::Null | Self::Float(_) => text.push_str("null"),
            Self::Text(content) => quote(content, text),
            Self::Array(items) => {
                let print = |item: &Self, text: &mut String| item.print(layout, depth + 1, text);
                enclose(items.iter(), ['[', ']'], layout, depth, text, print);
            }
            Self::Object(members) => {
                let print = |(key, value): (&String, &Self), text: &mut String| {
                    quote(key, text);
                    text.push_str(": ");
                    value.print(layout, depth + 1, text);
                };
                enclose(members.iter(), ['{', '}'], layout, depth, text, print);
            }
        }
    }
}

fn enclose<T>(
    items: impl ExactSizeIterator<Item = T>,
    [open, close]: [char; 2],
    layout: Layout,
    depth: usize,
    text: &mut String,
    mut print: impl FnMut(T, &mut String),
) {
    text.push(open);
    let empty = items.len() == 0;
    for (at, item) in items.enumerate() {
        if at > 0 {
            text.push(',');
        }
        layout.step(at == 0, depth + 1, text);
        print(item, text);
    }
    if !empty {
        layout.step(true, depth, text);
    }
    text.push(close);
}

fn quote(content: &str, text: &mut String) {
    let quoted = serde_json::to_string(content).expect("text is always valid");
    text.push_str(&quoted);
}

// === impl Layout ===

impl Layout {
    /// Appends the white space after a bracket or comma.
    pub(crate) fn step(self, after_bracket: bool, depth: usize, text: &mut String) {
        match self {
            Self::Compact if after_bracket => {}
            Self::Compact => text.push(' '),
            Self::Pretty => {
                text.push('\n');
                text.extend(std::iter::repeat_n("  ", depth));
            }
        }
    }
}

impl<'de> Deserialize<'de> for OrderedJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = OrderedJson;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<OrderedJson, E> {
        Ok(OrderedJson::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<OrderedJson, E> {
        Ok(OrderedJson::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<OrderedJson, E> {
        Ok(OrderedJson::Int(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<OrderedJson, E> {
        Ok(OrderedJson::Int(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<OrderedJson, E> {
        Ok(OrderedJson::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<OrderedJson, E> {
        Ok(OrderedJson::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OrderedJson, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(OrderedJson::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<OrderedJson, A::Error> {
        let mut object = IndexMap::new();
        while let Some((key, value)) = members.next_entry()? {
            object.insert(key, value);
        }
        Ok(OrderedJson::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_keep_their_order() {
        let json = r#"{"z":[1,-2,1.0,1e30,true,null,"é\"/"],"a":{},"m":[]}"#;
        let parsed: OrderedJson = serde_json::from_str(json).unwrap();
        let print = |layout| {
            let mut text = String::new();
            parsed.print(layout, 0, &mut text);
            text
        };
        let compact = r#"{"z": [1, -2, 1.0, 1e+30, true, null, "é\"/"], "a": {}, "m": []}"#;
        assert_eq!(print(Layout::Compact), compact);
        let pretty = "{\n  \"z\": [\n    1,\n    -2,\n    1.0,\n    1e+30,\n    true,\n    null,\n    \
                      \"é\\\"/\"\n  ],\n  \"a\": {},\n  \"m\": []\n}";
        assert_eq!(print(Layout::Pretty), pretty);
    }
}
