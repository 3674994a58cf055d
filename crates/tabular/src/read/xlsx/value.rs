//! Values of cells, as text.
use super::{serial, styles::NumberKind};
use crate::{Cell, cell::float_text};

/// Formats a number. Integers keep all their digits.
pub(super) fn number(text: &str, number_kind: NumberKind, from_1904: bool) -> Cell {
    let text = text.trim();
    let Ok(value) = text.parse::<f64>() else { return Cell::from(text) };
    match number_kind {
        NumberKind::Date => serial::date_time(value, from_1904).map_or(Cell::Missing, Cell::Text),
        NumberKind::Duration => serial::duration(value).map_or(Cell::Missing, Cell::Text),
        NumberKind::Number => Cell::Text(plain(text, value)),
    }
}

fn plain(text: &str, value: f64) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = digits.trim_start_matches('0');
        return if digits.is_empty() { "0".to_owned() } else { format!("{sign}{digits}") };
    }
    if value.is_finite() && value.fract() == 0.0 {
        // Drops the sign of a zero.
        return format!("{:.0}", value + 0.0);
    }
    float_text(value)
}

pub(super) fn boolean(text: &str) -> Cell {
    Cell::from(if matches!(text.trim(), "1" | "true") { "True" } else { "False" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let cases = [
            ("12345678901234567890", "12345678901234567890"),
            ("-9007199254740993", "-9007199254740993"),
            ("007", "7"),
            ("-0", "0"),
            ("1.0", "1"),
            ("-0.0", "0"),
            ("1E3", "1000"),
            ("1e22", "10000000000000000000000"),
            ("100.10", "100.1"),
            ("1e-7", "1e-07"),
            ("0.25", "0.25"),
            ("0.30000000000000004", "0.30000000000000004"),
        ];
        for (written, text) in cases {
            assert_eq!(number(written, NumberKind::Number, false), Cell::from(text), "{written}");
        }
    }
}
