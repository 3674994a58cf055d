//! Text files in every encoding, with every delimiter.
use crate::desk::Desk;

fn read(content: impl AsRef<[u8]>) -> Vec<String> {
    let desk = Desk::new();
    let path = desk.file("in.dat", content);
    desk.read(&path)
}

#[test]
fn every_field_stays_the_text_it_is() {
    let text = "a,b\n00123,\n12345678901234567890,NA\n1e5,null\ntrue, x \n";
    let rows = ["a|b", "00123|", "12345678901234567890|NA", "1e5|null", "true| x "];
    assert_eq!(read(text), rows);
}

#[test]
fn quotes_hold_delimiters_quotes_and_line_ends() {
    let text = "a,b\r\n\"x,\"\"y\"\"\",\"1\r\n2\"\rx\"y\"z,\"x\"y\n\\,  \"q\"\n";
    assert_eq!(read(text), ["a|b", "x,\"y\"|1\r\n2", "x\"y\"z|xy", "\\|  \"q\""]);
}

#[test]
fn blank_lines_are_no_rows_but_rows_of_nothing_are() {
    assert_eq!(read("\n  \na,b\n\n \t \n,\n1,2\n\n"), ["a|b", "|", "1|2"]);
    assert_eq!(read("a\n\n\"\"\n1\n"), ["a", "", "1"]);
    // In quotes it is a field, as it is written again.
    for end in ["\n", "\r\n", "\r"] {
        let text = ["a", "\"  \"", "  ", "x", ""].join(end);
        assert_eq!(read(text), ["a", "  ", "x"], "{end:?}");
    }
}

#[test]
fn short_rows_are_filled_and_a_wide_first_row_makes_columns() {
    assert_eq!(read("a,b,c\n1\n2,3\n"), ["a|b|c", "1||", "2|3|"]);
    assert_eq!(read("a,b\n1,2,3\n4,5\n"), ["a|b|Unnamed: 2", "1|2|3", "4|5|"]);
}

#[test]
fn encodings_are_told_apart() {
    assert_eq!(read("\u{feff}a,é\n1,€\n"), ["a|é", "1|€"]);
    assert_eq!(read(b"a,\xe9\n1,\x80\n"), ["a|é", "1|€"]);
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    };
    assert_eq!(
        read(utf16("\u{feff}a,é\r\n1,\u{1f600}\r\n", u16::to_le_bytes)),
        ["a|é", "1|\u{1f600}"]
    );
    assert_eq!(read(utf16("\u{feff}a,é\n1,日本\n", u16::to_be_bytes)), ["a|é", "1|日本"]);
    for text in ["a,b\n1,2\n\0\n3,4\n", "a,b\n1,2\n\0,4\n"] {
        let zero = utf16(&format!("\u{feff}{text}"), u16::to_le_bytes);
        let refused = Desk::new().error(zero, "excel/convert-to-csv", "{}");
        let expected = "Failed to read CSV file: row 3 holds a zero character; remove it";
        assert_eq!(refused, expected);
    }
}

#[test]
fn delimiters_are_told_apart() {
    assert_eq!(read("a;b\n1,5;2\n"), ["a|b", "1,5|2"]);
    assert_eq!(read("a\tb\n1\t2\n"), ["a|b", "1|2"]);
    assert_eq!(read("x|y\n1|2\n"), ["x|y", "1|2"]);
    assert_eq!(read("only\nx\n"), ["only", "x"]);
    // A field in quotes is one field, and its row a short one.
    assert_eq!(read("a,b\n\"Smith; John\"\nx,y\n"), ["a|b", "Smith; John|", "x|y"]);
}

#[test]
fn a_header_alone_is_a_table_without_rows() {
    assert_eq!(read("a,a,\n"), ["a|a.1|Unnamed: 2"]);
    assert_eq!(read("a,b"), ["a|b"]);
}
