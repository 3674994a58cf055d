//! Cells, and their text.
use std::{borrow::Cow, fmt::Write as _};

/// One value of a row.
///
/// Files are read as text, so that leading zeros, long numbers and words like `null` stay as they
/// are; the other kinds are results of operations.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// No value; not the same as the empty text.
    Missing,
    Text(String),
    Int(i128),
    Float(f64),
    Bool(bool),
}

/// The cells of one row, as many as there are columns.
pub type Row = Vec<Cell>;

impl Cell {
    pub const EMPTY: Self = Self::Text(String::new());

    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    /// Returns whether the cell is missing, or an empty text.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// Returns the value as text, `None` if it is missing. Floats always have a point or an
    /// exponent, and booleans are capitalised.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Missing => return None,
            Self::Text(text) => Cow::Borrowed(text),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Float(number) => Cow::Owned(float_text(*number)),
            Self::Bool(true) => Cow::Borrowed("True"),
            Self::Bool(false) => Cow::Borrowed("False"),
        })
    }

    /// Returns the bytes of its text; 0 for other kinds.
    pub(crate) fn len(&self) -> usize {
        if let Self::Text(text) = self { text.len() } else { 0 }
    }

    /// Estimates the bytes that it takes in memory.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + if let Self::Text(text) = self { text.capacity() } else { 0 }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl std::hash::Hash for Cell {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Missing => {}
            Self::Text(text) => text.hash(state),
            Self::Int(number) => number.hash(state),
            Self::Float(number) => number.to_bits().hash(state),
            Self::Bool(value) => value.hash(state),
        }
    }
}

/// Formats `number` as the shortest text that reads back the same: always with a point or an
/// exponent, and with an exponent only below 0.0001 and from 10^16 on.
pub fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        let mut text = number.to_string();
        if !text.contains('.') {
            text.push_str(".0");
        }
        return text;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let mut text = digits.to_owned();
    write!(text, "e{sign}{:02}", exponent.abs()).expect("a string takes all that is written");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_in_their_shortest_form() {
        let cases = [
            (1.5, "1.5"),
            (1.0 / 3.0, "0.3333333333333333"),
            (123_456_789.123_456_8, "123456789.1234568"),
            (2.0, "2.0"),
            (-0.0, "-0.0"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (1e-7, "1e-07"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.25e300, "1.25e+300"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (number, text) in cases {
            assert_eq!(float_text(number), text);
        }
    }
}
