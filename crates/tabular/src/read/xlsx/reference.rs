//! References of cells, such as `AB12`.

/// Rows and columns of the largest sheet.
pub(super) const MAX_ROWS: u64 = 1 << 20;
pub(super) const MAX_COLUMNS: usize = 1 << 14;

/// Parses a reference to row and column, from 0. `None` if it is outside of a sheet.
pub(super) fn parse(text: &str) -> Option<(u64, usize)> {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (letters, digits) = text.split_at_checked(letters)?;
    if letters.is_empty() || letters.len() > 3 {
        return None;
    }
    let letter = |byte: u8| usize::from(byte.to_ascii_uppercase() - b'A') + 1;
    let column = letters.bytes().fold(0, |column, byte| column * 26 + letter(byte)) - 1;
    let row = row(digits)?;
    (column < MAX_COLUMNS).then_some((row, column))
}

/// Converts the number of a row, from 1, to its index.
pub(super) fn row(digits: &str) -> Option<u64> {
    let row: u64 = digits.parse().ok()?;
    (1..=MAX_ROWS).contains(&row).then(|| row - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_within_a_sheet() {
        assert_eq!(parse("A1"), Some((0, 0)));
        assert_eq!(parse("AB12"), Some((11, 27)));
        assert_eq!(parse("XFD1048576"), Some((MAX_ROWS - 1, MAX_COLUMNS - 1)));
        for text in ["XFE1", "A0", "A1048577", "AAAA1", "1", "A", "", "é1", "A-1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
