//! Files that are not what they should be: each is refused with what is wrong and what to do.
use std::io::{Cursor, Write as _};

use zip::{ZipWriter, write::SimpleFileOptions};

use crate::{
    desk::Desk,
    workbook::{archive, with_sheet, workbook},
};

fn error(content: impl AsRef<[u8]>) -> String {
    Desk::new().error(content, "excel/convert-to-csv", "{}")
}

#[test]
fn what_is_no_table_is_named() {
    let cases: [(&[u8], &str); 9] = [
        (b"", "Failed to read CSV file: No columns to parse from file"),
        (b" \n\n", "Failed to read CSV file: No columns to parse from file"),
        (b"%PDF-1.7", "not a spreadsheet: the file is a PDF; save it as .xlsx or .csv"),
        (b"\n<HTML>", "not a spreadsheet: the file is HTML; save it as .xlsx or .csv"),
        (
            b"a\0b",
            "not a spreadsheet: the file holds zero bytes: it is binary, or UTF-16 without a mark; \
             save it as .xlsx or .csv",
        ),
        (b"PK\x03\x04 no", "Failed to read Excel file: File is not a zip file"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 Workbook",
            "the workbook has the old .xls format; save it as .xlsx",
        ),
        (
            b"a,b\n1,\"2\n3,4\n",
            "Failed to read CSV file: Error tokenizing data. C error: \
             EOF inside string starting at row 1",
        ),
        (
            b"a,b\n1,2\n1,2,3\n",
            "Failed to read CSV file: Error tokenizing data. C error: \
             Expected 2 fields in line 3, saw 3",
        ),
    ];
    for (content, text) in cases {
        assert_eq!(error(content), text);
    }
}

#[test]
fn an_encrypted_workbook_is_told_from_an_old_one() {
    let mut file = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    file.resize((64 << 10) - 9, 0);
    file.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(error(file), "the workbook is encrypted; remove its password and upload it again");
}

#[test]
fn mixed_encodings_and_delimiters_are_refused() {
    let text = "mixed encodings: line 2 is UTF-8 and line 3 is not; save the file as UTF-8";
    assert_eq!(error(b"a,b\n1,\xc3\xa9\n2,\xe9\n"), text);
    let text = "mixed delimiters: the header is separated by ',' and row 3 by ';'; use one of them";
    assert_eq!(error("a,b\n1,2\n3;4\n"), text);
}

#[test]
fn archives_without_a_workbook_are_refused() {
    let none = archive(&[("readme.txt", "x")]);
    assert_eq!(error(none), "Failed to read Excel file: the archive holds no workbook");
    let cut = with_sheet("<worksheet><sheetData><row><c><v>1</v>", "");
    assert_eq!(error(cut), "Failed to read Excel file: the worksheet is cut off");
    let absent = workbook("<row><c t=\"s\"><v>3</v></c></row>", "<si><t>a</t></si>");
    assert_eq!(error(absent), "Failed to read Excel file: there is no text 3");
}

#[test]
fn a_sheet_that_spans_too_much_without_declaring_it_is_refused() {
    let desk = Desk::new();
    let rows =
        "<row><c><v>1</v></c></row><row r=\"1048576\"><c r=\"ALL1048576\"><v>1</v></c></row>";
    let text = "the sheet spans 1048576 rows and 1000 columns, 200000000 cells is the most; \
                delete the unused rows and columns at its end, or split it";
    assert_eq!(desk.error(workbook(rows, ""), "excel/convert-to-csv", "{}"), text);
}

#[test]
fn a_table_as_wide_as_a_sheet_can_be_is_refused() {
    let text = "the table has 16384 columns or more, 4096 is the most; \
                remove those that are not needed";
    assert_eq!(error(workbook("<row><c r=\"XFD1\"><v>1</v></c></row>", "")), text);
    assert_eq!(error(vec!["a"; 16_384].join(",")), text);
}

#[test]
fn what_unzips_to_too_much_is_refused_even_if_it_says_otherwise() {
    let mut desk = Desk::new();
    desk.limits.max_unzipped = 1 << 20;
    let sheet = "<worksheet><sheetData>".to_owned() + &"<row/>".repeat(200_000);
    let bomb = with_sheet(&sheet, "");
    let text = "the workbook unzips to more than 1048576 bytes; split it";
    assert_eq!(desk.error(&bomb, "excel/convert-to-csv", "{}"), text);
    // The directory of the archive names a small size instead.
    let size = u32::try_from(sheet.len()).unwrap().to_le_bytes();
    let mut lying = bomb;
    for at in 0..lying.len() - 4 {
        if lying[at..at + 4] == size {
            lying[at..at + 4].copy_from_slice(&100u32.to_le_bytes());
        }
    }
    assert_eq!(desk.error(&lying, "excel/convert-to-csv", "{}"), text);
}

#[test]
fn an_endless_element_and_an_endless_row_are_refused() {
    let sheet = format!("<worksheet><sheetData><row r=\"{}\"/>", "1".repeat(3 << 20));
    let text = "Failed to read Excel file: an element is longer than 1048576 bytes";
    assert_eq!(error(with_sheet(&sheet, "")), text);
    let mut desk = Desk::new();
    desk.limits.max_row = 100_000;
    let row = format!("a,b\n1,\"{}", "x".repeat(1 << 20));
    let text = "row 2 has more than 100000 bytes; shorten its texts, or look for a quote that is \
                not closed";
    assert_eq!(desk.error(row, "excel/convert-to-csv", "{}"), text);
}

#[test]
fn a_text_that_many_cells_share_makes_neither_a_large_row_nor_a_large_result() {
    let mut desk = Desk::new();
    desk.limits.max_row = 100_000;
    desk.limits.max_result = 1_000_000;
    let text = format!("<si><t>{}</t></si>", "x".repeat(40_000));
    let cell = "<c t=\"s\"><v>0</v></c>";
    let wide = workbook(&format!("<row>{}</row>", cell.repeat(3)), &text);
    let refused = desk.error(&wide, "excel/convert-to-csv", "{}");
    assert!(refused.starts_with("row 1 has more than 100000 bytes; "), "{refused}");
    let long = workbook(&format!("<row>{cell}</row>").repeat(30), &text);
    let expected = "the result has more than 1000000 bytes; ask for less, or split the file";
    for (operation, arguments) in [
        ("excel/convert-to-csv", "{}"),
        ("json/generate", "{}"),
        ("sql/generate", "{}"),
        ("csv/search", r#"{"conditions":[{"column":"x","operator":"is_not_empty"}]}"#),
    ] {
        let arguments = arguments.replace("\"x\"", &format!("{:?}", "x".repeat(40_000)));
        assert_eq!(desk.error(&long, operation, &arguments), expected, "{operation}");
    }
    // As text of a sheet, as much as is allowed to a cell.
    let text = format!("<si><t>{}</t></si>", "x".repeat(30_000));
    let long = workbook(&format!("<row>{cell}</row>").repeat(40), &text);
    assert_eq!(desk.error(&long, "csv/convert-to-excel", "{}"), expected);
}

#[test]
fn what_is_made_of_one_row_is_bounded() {
    let mut desk = Desk::new();
    desk.limits.max_made = 10_000;
    let content = format!("a,b\n{},1\n", "x".repeat(3000));
    let expected = "a row of the result takes more than 10000 bytes to make; ask for less of each \
                    row, or replace less in it";
    let mapping = |pairs: &[&str]| {
        let pairs = pairs.iter().map(|name| format!("{name:?}:\"a\"")).collect::<Vec<_>>();
        format!("{{{}}}", pairs.join(","))
    };
    let four = mapping(&["p", "q", "r", "s"]);
    let twice = r#"{"column_name":"a","normalization_type":"regex_replace",
        "parameters":{"pattern":".","replacement":"\\g<0>\\g<0>"}}"#;
    let holes = "{a}".repeat(4);
    for (operation, arguments) in [
        ("excel/extract-columns-to-file", r#"{"columns":["a","a","a","a"]}"#.to_owned()),
        ("excel/map-columns", format!(r#"{{"mapping":{four}}}"#)),
        ("sql/generate", format!(r#"{{"column_mapping":{four}}}"#)),
        ("sql/generate", format!(r#"{{"template":"{holes}"}}"#)),
        ("sql/generate-custom-to-text", format!(r#"{{"template":"{holes}"}}"#)),
        ("json/generate-with-template", format!(r#"{{"template":{{"t":["{holes}"]}}}}"#)),
        ("normalization/apply", format!(r#"{{"normalizations":[{twice},{twice}]}}"#)),
    ] {
        assert_eq!(desk.error(&content, operation, &arguments), expected, "{operation}");
    }
}

#[test]
fn elements_without_end_and_cells_over_and_over_are_refused() {
    let text = "Failed to read Excel file: elements are nested deeper than 100";
    let deep = format!("<worksheet>{}", "<a>".repeat(200));
    assert_eq!(error(with_sheet(&deep, "")), text);
    let text = "Failed to read Excel file: row 1 has cells more than once";
    let row = format!("<row>{}</row>", "<c r=\"A1\"><v>1</v></c>".repeat(5000));
    assert_eq!(error(workbook(&row, "")), text);
    let text = "Failed to read Excel file: there is no cell XFE1";
    assert_eq!(error(workbook("<row><c r=\"XFE1\"/></row>", "")), text);
    let text = "Failed to read Excel file: unknown entity &bomb;";
    assert_eq!(error(workbook("<row><c><v>&bomb;</v></c></row>", "")), text);
}

#[test]
fn texts_that_cells_share_are_bounded() {
    let mut desk = Desk::new();
    desk.limits.max_held = 1000;
    let texts = "<si><t>ten bytes.</t></si>".repeat(100);
    let text = "the texts of the workbook take more than 1000 bytes; save the sheet as .csv";
    assert_eq!(desk.error(workbook("", &texts), "excel/convert-to-csv", "{}"), text);
}

#[test]
fn an_encrypted_archive_is_refused() {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("_rels/.rels", SimpleFileOptions::default()).unwrap();
    archive.write_all(b"secret").unwrap();
    let mut archive = archive.finish().unwrap().into_inner();
    // Set the flag for encryption in the directory and before the entry.
    let directory = archive.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    archive[6] |= 1;
    archive[directory + 8] |= 1;
    let text = "the workbook is encrypted; remove its password and upload it again";
    assert_eq!(error(archive), text);
}
