//! Detects the delimiter of a text file.

/// In order of preference, where nothing else decides: commas are frequent in texts and numbers,
/// semicolons in texts.
pub(super) const CANDIDATES: [u8; 4] = *b"\t|;,";

/// Stands for no delimiter: no text has this byte.
const NONE: u8 = 0xff;

/// Rates a candidate on a sample. The larger one is better.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Cut {
    /// Rows with as many fields as the header, with the header itself if it is split.
    agreeing: usize,
    /// Quotes within or after fields, a sign of torn fields.
    torn: std::cmp::Reverse<usize>,
    /// Whether some delimiters in the rows are neither within numbers nor before spaces, as in
    /// texts.
    separates: bool,
    fields: usize,
}

/// Reads a first line that names the delimiter, such as `sep=;`. Returns the delimiter and the
/// length of the line. Spreadsheet programs write such lines.
pub(super) fn named(sample: &[u8]) -> Option<(u8, usize)> {
    let end = sample.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(sample.len());
    let line = sample.get(..end)?;
    let inside = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let (name, delimiter) = inside.split_at_checked(4)?;
    let delimiter = match delimiter {
        b"\\t" => b'\t',
        [delimiter] if delimiter.is_ascii() && *delimiter != b'"' => *delimiter,
        // Some programs fill the line to the width of the table.
        [delimiter, rest @ ..]
            if CANDIDATES.contains(delimiter) && rest.iter().all(|byte| byte == delimiter) =>
        {
            *delimiter
        }
        _ => return None,
    };
    if !name.eq_ignore_ascii_case(b"sep=") {
        return None;
    }
    let next = match sample.get(end..) {
        Some([b'\r', b'\n', ..]) => 2,
        Some([_, ..]) => 1,
        _ => 0,
    };
    Some((delimiter, end + next))
}

/// Returns the delimiter that splits most rows of `sample` into as many fields as the header; among
/// equals, the one that tears no text. `whole` means that the sample is the whole file.
pub(crate) fn detect(sample: &[u8], whole: bool) -> u8 {
    let mut best: Option<(Cut, u8)> = None;
    for delimiter in CANDIDATES {
        let cut = Cut::of(sample, delimiter, whole);
        if cut.agreeing > 0 && best.as_ref().is_none_or(|(found, _)| cut > *found) {
            best = Some((cut, delimiter));
        }
    }
    match best {
        Some((_, delimiter)) => delimiter,
        None if is_one_column(sample, whole) => NONE,
        None => b',',
    }
}

/// Returns whether the commas of rows belong to texts and numbers, if the header has none. They
/// separate columns without names if each row has as many, and some are next to something else than
/// numbers or spaces.
fn is_one_column(sample: &[u8], whole: bool) -> bool {
    let counts = counts(sample, b',', whole);
    let Some((_, rows)) = counts.split_first() else { return false };
    match rows.first() {
        None | Some(1) => true,
        Some(first) => rows.iter().any(|row| row != first) || !separates(sample, b','),
    }
}

// === impl Cut ===

impl Cut {
    fn of(sample: &[u8], delimiter: u8, whole: bool) -> Self {
        let counts = counts(sample, delimiter, whole);
        let Some((&header, rows)) = counts.split_first() else { return Self::default() };
        if header < 2 {
            return Self::default();
        }
        Self {
            agreeing: 1 + rows.iter().filter(|count| **count == header).count(),
            torn: std::cmp::Reverse(torn(sample, delimiter)),
            separates: separates(sample, delimiter),
            fields: header,
        }
    }
}

/// Counts the fields of each row. Skips the last one if it may be incomplete.
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

/// Counts quotes that do not enclose a whole field.
fn torn(sample: &[u8], delimiter: u8) -> usize {
    let mut torn = 0;
    let mut rest = sample;
    let ends = |byte: &u8| *byte == delimiter || matches!(byte, b'\n' | b'\r');
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix(b"\"") {
            rest = after_quote(quoted);
            torn += usize::from(rest.first().is_some_and(|byte| !ends(byte)));
        }
        let end = rest.iter().position(ends).unwrap_or(rest.len());
        torn += rest[..end].split(|byte| *byte == b'"').skip(1).count();
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    torn
}

/// Returns the text after the quote that closes a field. A doubled quote does not close it.
fn after_quote(mut text: &[u8]) -> &[u8] {
    loop {
        let Some(at) = text.iter().position(|byte| *byte == b'"') else { return &[] };
        text = text.get(at + 1..).unwrap_or_default();
        match text.strip_prefix(b"\"") {
            Some(more) => text = more,
            None => return text,
        }
    }
}

/// Returns whether some delimiters after the header are neither before a space nor, for a comma,
/// within a number.
fn separates(sample: &[u8], delimiter: u8) -> bool {
    let end = sample.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(0);
    let rows = sample.get(end..).unwrap_or_default();
    let mut places = rows.iter().enumerate().filter(|(_, byte)| **byte == delimiter).peekable();
    if places.peek().is_none() {
        return true;
    }
    places.any(|(at, _)| {
        let (before, after) = (rows.get(..at), rows.get(at + 1..));
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        let number = delimiter == b',' && is_decimal(before, after);
        !number && after.first() != Some(&b' ')
    })
}

/// Returns whether a comma between these is the only one of a number.
fn is_decimal(before: &[u8], after: &[u8]) -> bool {
    let left = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let right = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let other = [before.iter().rev().nth(left), after.get(right)].contains(&Some(&b','));
    left > 0 && right > 0 && !other
}

/// Returns another delimiter that would split `field`, the only one of its row, into `columns`
/// fields.
pub(super) fn other(field: &str, delimiter: u8, columns: usize) -> Option<u8> {
    let cuts = |delimiter: u8| field.bytes().filter(|byte| *byte == delimiter).count() + 1;
    CANDIDATES
        .into_iter()
        .find(|candidate| *candidate != delimiter && columns > 1 && cuts(*candidate) == columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_what_most_rows_agree_on() {
        let cases: [(&str, u8); 21] = [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2\n", b';'),
            ("a\tb\n1,2\t3;4\n", b'\t'),
            ("a|b|c\n1|2|3\n", b'|'),
            ("name\nx;y\n", NONE),
            ("\"a;b\";c,d\n1,2\n3,4\n", b','),
            ("a;b,c\n1;2\n3;4\n", b';'),
            ("", b','),
            // Several candidates split as many rows.
            ("name (last, first)\tage\nNovak, Jana\t31\nKral, Petr\t45\n", b'\t'),
            ("name (last, first);age\nNovak, Jana;31\nKral, Petr;45\n", b';'),
            ("price, net;unit\n1,50;kg\n2,75;kg\n", b';'),
            ("a,b;c\n1,5;2\n3,5;4\n", b';'),
            ("id,\"name; alias\"\n1,\"a; b\"\n2,\"c;d\"\n", b','),
            ("id,\"x|y\"\n1,\"a|b\"\n", b','),
            ("id;\"a,b\"\n1;\"x,y\"\n", b';'),
            ("x|y,a,b\n1|2,3,4\n", b','),
            // Delimiters in the header alone.
            ("id,tags;more\n1,a\n2,b\n", b','),
            ("city, country;people\n", b';'),
            // One column.
            ("name\nNovak, Jana\nKral, Petr\n", NONE),
            ("price\n1,50\n2,75\n", NONE),
            ("title\na,b\nc,d\n", b','),
        ];
        for (text, delimiter) in cases {
            assert_eq!(detect(text.as_bytes(), true), delimiter, "{text}");
        }
    }

    #[test]
    fn a_first_line_may_name_the_delimiter() {
        let cases: [(&str, Option<(u8, usize)>); 12] = [
            ("sep=;\nid;city\n", Some((b';', 6))),
            ("SEP=,\r\nid", Some((b',', 7))),
            ("\"sep=,\"\rid", Some((b',', 8))),
            ("sep=\t\nid", Some((b'\t', 6))),
            ("sep=\\t\nid", Some((b'\t', 7))),
            ("sep=:\nid", Some((b':', 6))),
            ("sep=;;;\nid", Some((b';', 8))),
            ("sep=;", Some((b';', 5))),
            ("sep=\nid", None),
            ("sep=ab\nid", None),
            ("sepia;x\nid", None),
            ("sep,;\nid", None),
        ];
        for (text, expected) in cases {
            assert_eq!(named(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_row_that_is_cut_does_not_count() {
        assert_eq!(counts(b"a,b\n1,2\n3", b',', false), [2, 2]);
        assert_eq!(counts(b"a,b\n1,2\n3", b',', true), [2, 2, 1]);
    }
}
