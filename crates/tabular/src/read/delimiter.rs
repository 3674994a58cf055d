//! What separates the fields of a text file.

/// In the order of preference.
pub(super) const CANDIDATES: [u8; 4] = *b",;\t|";

/// The delimiter that cuts most rows of `sample` into as many fields as the header. `whole` says
/// that the sample is the whole file.
pub(crate) fn detect(sample: &[u8], whole: bool) -> u8 {
    let agreeing = |delimiter: &u8| {
        let counts = counts(sample, *delimiter, whole);
        let Some((&header, rows)) = counts.split_first() else { return 0 };
        if header < 2 { 0 } else { 1 + rows.iter().filter(|count| **count == header).count() }
    };
    // The first of the best: `max_by_key` takes the last.
    CANDIDATES.into_iter().rev().max_by_key(agreeing).unwrap_or(b',')
}

/// How many fields each row has. The last one is left out if it may be cut.
fn counts(sample: &[u8], delimiter: u8, whole: bool) -> Vec<usize> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(sample);
    let mut record = csv::ByteRecord::new();
    let mut counts = Vec::new();
    while matches!(reader.read_byte_record(&mut record), Ok(true)) {
        let blank = record.len() == 1 && record[0].trim_ascii().is_empty();
        if !blank || counts.is_empty() {
            counts.push(record.len());
        }
    }
    if !whole && counts.len() > 1 {
        counts.pop();
    }
    counts
}

/// Another delimiter that would cut `field`, the only one of its row, into `columns` fields.
pub(super) fn other(field: &str, delimiter: u8, columns: usize) -> Option<u8> {
    let cuts = |it: u8| field.bytes().filter(|byte| *byte == it).count() + 1;
    CANDIDATES.into_iter().find(|it| *it != delimiter && columns > 1 && cuts(*it) == columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_what_most_rows_agree_on() {
        let cases: [(&str, u8); 8] = [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2\n", b';'),
            ("a\tb\n1,2\t3;4\n", b'\t'),
            ("a|b|c\n1|2|3\n", b'|'),
            ("name\nx;y\n", b','),
            ("\"a;b\";c,d\n1,2\n3,4\n", b','),
            ("a;b,c\n1;2\n3;4\n", b';'),
            ("", b','),
        ];
        for (text, delimiter) in cases {
            assert_eq!(char::from(detect(text.as_bytes(), true)), char::from(delimiter), "{text}");
        }
    }

    #[test]
    fn a_row_that_is_cut_does_not_count() {
        assert_eq!(counts(b"a,b\n1,2\n3", b',', false), [2, 2]);
        assert_eq!(counts(b"a,b\n1,2\n3", b',', true), [2, 2, 1]);
    }
}
