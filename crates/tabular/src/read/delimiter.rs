//! What separates the fields of a text file.

/// In the order of preference where nothing else decides: commas are frequent in texts and numbers,
/// semicolons in texts.
pub(super) const CANDIDATES: [u8; 4] = *b"\t|;,";

/// Stands for none, as no text has this byte.
const NONE: u8 = 0xff;

/// How a candidate cuts a sample.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Cut {
    /// Rows with as many fields as the header, and the header itself if it is cut.
    agreeing: usize,
    /// Quotes that would stand within or behind fields, and so belong to fields that are torn.
    torn: std::cmp::Reverse<usize>,
    /// Not everywhere in the rows within numbers, or before spaces, as in texts.
    separates: bool,
    fields: usize,
}

/// The rest of `sample` after a first line that says what the delimiter is, as `sep=;`, and this
/// delimiter. Spreadsheet programs know such lines, so exports have them.
pub(super) fn named(sample: &[u8]) -> Option<(u8, usize)> {
    let end = sample.iter().position(|it| matches!(it, b'\n' | b'\r')).unwrap_or(sample.len());
    let line = sample.get(..end)?;
    let inside = line.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\"")).unwrap_or(line);
    let (name, delimiter) = inside.split_at_checked(4)?;
    let delimiter = match delimiter {
        b"\\t" => b'\t',
        [delimiter] if delimiter.is_ascii() && *delimiter != b'"' => *delimiter,
        // Others fill the line up to the width of the table.
        [delimiter, rest @ ..]
            if CANDIDATES.contains(delimiter) && rest.iter().all(|it| it == delimiter) =>
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

/// The delimiter that cuts most rows of `sample` into as many fields as the header. Among those that
/// cut as many, it is the one that tears no text. `whole` says that the sample is the whole file.
pub(crate) fn detect(sample: &[u8], whole: bool) -> u8 {
    let mut best: Option<(Cut, u8)> = None;
    for delimiter in CANDIDATES {
        let cut = Cut::of(sample, delimiter, whole);
        if cut.agreeing > 0 && best.as_ref().is_none_or(|(it, _)| cut > *it) {
            best = Some((cut, delimiter));
        }
    }
    match best {
        Some((_, delimiter)) => delimiter,
        None if is_one_column(sample, whole) => NONE,
        None => b',',
    }
}

/// Whether the commas of rows belong to texts and numbers, where the header has none. They separate
/// columns without names if each row has as many, and something else than numbers or spaces is next to
/// some of them.
fn is_one_column(sample: &[u8], whole: bool) -> bool {
    let counts = counts(sample, b',', whole);
    let Some((_, rows)) = counts.split_first() else { return false };
    match rows.first() {
        None | Some(1) => true,
        Some(first) => rows.iter().any(|it| it != first) || !separates(sample, b','),
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

/// Quotes that do not enclose a whole field.
fn torn(sample: &[u8], delimiter: u8) -> usize {
    let mut torn = 0;
    let mut rest = sample;
    let ends = |it: &u8| *it == delimiter || matches!(it, b'\n' | b'\r');
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix(b"\"") {
            rest = after_quote(quoted);
            torn += usize::from(rest.first().is_some_and(|it| !ends(it)));
        }
        let end = rest.iter().position(ends).unwrap_or(rest.len());
        torn += rest[..end].split(|it| *it == b'"').skip(1).count();
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    torn
}

/// What follows the quote that closes a field. A doubled one does not.
fn after_quote(mut text: &[u8]) -> &[u8] {
    loop {
        let Some(at) = text.iter().position(|it| *it == b'"') else { return &[] };
        text = text.get(at + 1..).unwrap_or_default();
        match text.strip_prefix(b"\"") {
            Some(more) => text = more,
            None => return text,
        }
    }
}

/// Whether some of the delimiters after the header are neither before a space nor, if it is a comma,
/// within a number.
fn separates(sample: &[u8], delimiter: u8) -> bool {
    let end = sample.iter().position(|it| matches!(it, b'\n' | b'\r')).unwrap_or(0);
    let rows = sample.get(end..).unwrap_or_default();
    let mut places = rows.iter().enumerate().filter(|(_, it)| **it == delimiter).peekable();
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

/// Whether a comma between these is the only one of a number.
fn is_decimal(before: &[u8], after: &[u8]) -> bool {
    let left = before.iter().rev().take_while(|it| it.is_ascii_digit()).count();
    let right = after.iter().take_while(|it| it.is_ascii_digit()).count();
    let other = [before.iter().rev().nth(left), after.get(right)].contains(&Some(&b','));
    left > 0 && right > 0 && !other
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
        let cases: [(&str, u8); 21] = [
            ("a,b\n1,2\n", b','),
            ("a;b\n1,5;2\n", b';'),
            ("a\tb\n1,2\t3;4\n", b'\t'),
            ("a|b|c\n1|2|3\n", b'|'),
            ("name\nx;y\n", NONE),
            ("\"a;b\";c,d\n1,2\n3,4\n", b','),
            ("a;b,c\n1;2\n3;4\n", b';'),
            ("", b','),
            // As many rows are cut by several.
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
