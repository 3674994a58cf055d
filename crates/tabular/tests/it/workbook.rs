//! Workbooks made part by part, with what other programs write and what nobody should.
use std::{
    io::{Cursor, Write as _},
    path::PathBuf,
};

use zip::{ZipWriter, write::SimpleFileOptions};

use crate::desk::Desk;

const RELATIONS: &str = r#"<Relationships><Relationship Id="rId1"
 Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
 Target="xl/workbook.xml"/></Relationships>"#;

const WORKBOOK: &str = r#"<workbook xmlns:r="x"><sheets>
<sheet name="Chart" sheetId="9" r:id="rId9"/><sheet name="First" sheetId="1" state="hidden" r:id="rId1"/>
<sheet name="Second" sheetId="2" r:id="rId2"/></sheets></workbook>"#;

const PARTS: &str = r#"<Relationships>
<Relationship Id="rId9" Type="a/chartsheet" Target="charts/c.xml"/>
<Relationship Id="rId2" Type="a/worksheet" Target="sheets/two.xml"/>
<Relationship Id="rId1" Type="a/worksheet" Target="/xl/sheets/one.xml"/>
<Relationship Id="rId3" Type="a/styles" Target="styles.xml"/>
<Relationship Id="rId4" Type="a/sharedStrings" Target="texts.xml"/></Relationships>"#;

/// Style 1 is a date, 2 a duration, 3 percent, 4 a format of its own.
const STYLES: &str = r#"<styleSheet><numFmts count="1">
<numFmt numFmtId="164" formatCode="[$-409]d/m/yy;@"/></numFmts>
<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>
<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="46"/><xf numFmtId="9"/>
<xf numFmtId="164"/></cellXfs></styleSheet>"#;

/// A zip archive of parts.
pub(crate) fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
    let parts: Vec<_> =
        parts.iter().map(|(name, text)| (*name, text.as_bytes().to_vec())).collect();
    archive_of(&parts)
}

pub(crate) fn archive_of(parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A workbook whose first sheet has these rows, as XML, and whose shared texts are these.
pub(crate) fn workbook(rows: &str, texts: &str) -> Vec<u8> {
    with_sheet(&format!("<worksheet><sheetData>{rows}</sheetData></worksheet>"), texts)
}

pub(crate) fn with_sheet(sheet: &str, texts: &str) -> Vec<u8> {
    archive(&[
        ("_rels/.rels", RELATIONS),
        ("xl/workbook.xml", WORKBOOK),
        ("xl/_rels/workbook.xml.rels", PARTS),
        ("xl/styles.xml", STYLES),
        ("xl/texts.xml", &format!("<sst>{texts}</sst>")),
        ("xl/sheets/one.xml", sheet),
        ("xl/sheets/two.xml", "<worksheet><sheetData/></worksheet>"),
    ])
}

/// A workbook of the sheet `First` and another one, called `second`, with these rows.
pub(crate) fn two_sheets(first: &str, other: &str, second: &str) -> Vec<u8> {
    let sheet = |rows: &str| format!("<worksheet><sheetData>{rows}</sheetData></worksheet>");
    archive(&[
        ("_rels/.rels", RELATIONS),
        ("xl/workbook.xml", &WORKBOOK.replace("\"Second\"", &format!("{second:?}"))),
        ("xl/_rels/workbook.xml.rels", PARTS),
        ("xl/sheets/one.xml", &sheet(first)),
        ("xl/sheets/two.xml", &sheet(other)),
    ])
}

fn read(rows: &str, texts: &str) -> Vec<String> {
    let desk = Desk::new();
    let path: PathBuf = desk.file("book.dat", workbook(rows, texts));
    desk.read(&path)
}

/// A column named `v` with one cell in each row.
fn column(cells: &[&str]) -> Vec<String> {
    let rows = format!("<row>{}</row>", cells.join("</row><row>"));
    let header = "<row><c t=\"inlineStr\"><is><t>v</t></is></c>\
                  <c t=\"inlineStr\"><is><t>end</t></is></c></row>";
    // The second column keeps the last rows.
    let last = "<row><c/><c><v>1</v></c></row>";
    let mut read = read(&format!("{header}{rows}{last}"), "<si><t>shared</t></si>");
    assert_eq!((read.remove(0), read.pop()), ("v|end".to_owned(), Some("|1".to_owned())));
    read.iter().map(|line| line.trim_end_matches('|').to_owned()).collect()
}

#[test]
fn numbers_are_text_with_all_their_digits() {
    let cells = [
        "<c><v>12345678901234567890</v></c>",
        "<c><v>1.0</v></c>",
        "<c t=\"n\"><v>100.10</v></c>",
        "<c s=\"3\"><v>0.25</v></c>",
        "<c><v>-7</v></c>",
    ];
    assert_eq!(column(&cells), ["12345678901234567890", "1", "100.1", "0.25", "-7"]);
}

#[test]
fn dates_are_text_with_their_time() {
    let cells = [
        "<c s=\"1\"><v>45306</v></c>",
        "<c s=\"4\"><v>45306.123456</v></c>",
        "<c s=\"1\"><v>0.5</v></c>",
        "<c s=\"2\"><v>1.25</v></c>",
        "<c t=\"d\"><v>2024-01-15T10:30:00</v></c>",
    ];
    let dates = [
        "2024-01-15 00:00:00",
        "2024-01-15 02:57:46.598000",
        "12:00:00",
        "1 day, 6:00:00",
        "2024-01-15 10:30:00",
    ];
    assert_eq!(column(&cells), dates);
}

#[test]
fn every_type_of_cell_has_its_text() {
    let cells = [
        "<c t=\"b\"><v>1</v></c>",
        "<c t=\"b\"><v>0</v></c>",
        "<c t=\"s\"><v>0</v></c>",
        "<c t=\"str\"><f>A1&amp;\"x\"</f><v>cached &lt;</v></c>",
        "<c t=\"str\"><v>#N/A</v></c>",
        "<c><f>1+1</f><v>2</v></c>",
        "<c><f>1+1</f></c>",
        "<c t=\"inlineStr\"><is><r><t>a </t></r><r><t>b&#233;</t></r><rPh><t>no</t></rPh></is></c>",
        "<c t=\"inlineStr\"><is><t xml:space=\"preserve\">  two  </t></is></c>",
    ];
    let texts = ["True", "False", "shared", "cached <", "#N/A", "2", "", "a bé", "  two  "];
    assert_eq!(column(&cells), texts);
}

#[test]
fn an_error_cell_has_no_value() {
    let desk = Desk::new();
    let rows = "<row><c t=\"inlineStr\"><is><t>v</t></is></c></row>\
                <row><c t=\"e\"><v>#DIV/0!</v></c></row>\
                <row><c t=\"inlineStr\"><is><t/></is></c></row><row><c><v>1</v></c></row>\
                <row><c s=\"1\"><v>3000000</v></c></row>";
    let path = desk.file("book.xlsx", workbook(rows, ""));
    let args = r#"{"columns":["v"]}"#;
    let data = desk.run(&path, "excel/extract-columns", args).data;
    assert_eq!(data["columns"]["v"]["values"], serde_json::json!([null, "", "1", null]));
    assert_eq!(data["columns"]["v"]["null_count"], 2);
}

#[test]
fn what_is_empty_at_the_end_is_not_part_of_the_table() {
    let rows = "<row r=\"1\"><c r=\"A1\"><v>1</v></c><c r=\"C1\" s=\"1\"/></row>\
                <row r=\"3\"><c r=\"B3\"><v>2</v></c></row>\
                <row r=\"7\"><c r=\"A7\" t=\"inlineStr\"><is><t></t></is></c></row>\
                <row r=\"1048576\"><c r=\"XFD1048576\" s=\"1\"/></row>";
    assert_eq!(read(rows, ""), ["1|Unnamed: 1", "|", "|2"]);
}

#[test]
fn a_blank_first_row_leaves_columns_without_names() {
    let rows = "<row r=\"2\"><c r=\"A2\"><v>1</v></c><c r=\"B2\"><v>2</v></c></row>";
    assert_eq!(read(rows, ""), ["Unnamed: 0|Unnamed: 1", "1|2"]);
}

#[test]
fn headers_are_text_and_made_different() {
    let rows = "<row><c><v>5.0</v></c><c><v>5</v></c><c t=\"b\"><v>1</v></c></row>\
                <row><c><v>1</v></c></row>";
    assert_eq!(read(rows, ""), ["5|5.1|True", "1||"]);
}

#[test]
fn dates_may_count_from_1904() {
    let desk = Desk::new();
    let book = r#"<workbook xmlns:r="x"><workbookPr date1904="1"/>
        <sheets><sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
    let sheet = "<worksheet><sheetData><row><c><v>1</v></c></row><row><c s=\"1\"><v>1</v></c></row>\
                 </sheetData></worksheet>";
    let parts = [
        ("_rels/.rels", RELATIONS),
        ("xl/workbook.xml", book),
        ("xl/_rels/workbook.xml.rels", PARTS),
        ("xl/styles.xml", STYLES),
        ("xl/sheets/one.xml", sheet),
    ];
    let path = desk.file("old.xlsx", archive(&parts));
    assert_eq!(desk.read(&path), ["1", "1904-01-02 00:00:00"]);
}
