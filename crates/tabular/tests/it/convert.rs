//! The same table in the other format.
use std::fs;

use proptest::prelude::*;

use crate::desk::{Desk, name, sheet, sheet_at};

#[test]
fn text_becomes_a_sheet_of_texts() {
    let desk = Desk::new();
    let text = "a,b\n00123,\n12345678901234567890,=SUM(A1)\n1e5,#N/A\n-1,http://x.y\n";
    let rows = ["a|b", "00123|_", "12345678901234567890|=SUM(A1)", "1e5|#N/A", "-1|http://x.y"];
    assert_eq!(desk.sheet(text, "csv/convert-to-excel", "{}"), rows);
}

#[test]
fn a_second_sheet_says_what_the_file_is() {
    let desk = Desk::new();
    let input = desk.file("q.csv", "a,b\n1,2\n3,4\n");
    let outcome = desk.run(&input, "csv/convert-to-excel", r#"{"sheet_name":"Info"}"#);
    assert_eq!(name(&outcome), "q_converted_20261120_220637.xlsx");
    let info = [
        "Property|Value",
        "File|q_converted_20261120_220637.xlsx",
        "Created|2026-11-20 22:06:37",
        "Rows|#2",
        "Columns|#2",
        "Column Names|a, b",
    ];
    assert_eq!(sheet_at(outcome.file.as_ref().unwrap(), 1), info);
    let mut book: calamine::Xlsx<_> = calamine::open_workbook(outcome.file.unwrap()).unwrap();
    assert_eq!(calamine::Reader::sheet_names(&book), ["Info", "Info1"]);
    assert!(calamine::Reader::worksheet_range(&mut book, "Info").is_ok());
}

#[test]
fn names_of_sheets_are_checked() {
    let desk = Desk::new();
    let error = |args| desk.error("a\n1\n", "csv/convert-to-excel", args);
    let text = "Failed to write Excel file: Invalid character / found in sheet title";
    assert_eq!(error(r#"{"sheet_name":"a/b"}"#), text);
    let long = format!(r#"{{"sheet_name":"{}"}}"#, "é".repeat(32));
    let text = "Failed to write Excel file: a sheet title has at most 31 characters";
    assert_eq!(error(&long), text);
    assert_eq!(desk.sheet("a\n1\n", "csv/convert-to-excel", r#"{"sheet_name":" "}"#), ["a", "1"]);
}

#[test]
fn control_characters_are_removed_with_a_warning() {
    let desk = Desk::new();
    let input = desk.file("in.csv", "a,b\nx\u{1}y,_x0041_\n\u{7},\"1\r\n2\"\n");
    let outcome = desk.run(&input, "csv/convert-to-excel", "{}");
    assert_eq!(outcome.warnings, ["control characters were removed from 2 cells"]);
    let path = outcome.file.unwrap();
    assert_eq!(desk.read(&path), ["a|b", "xy|_x0041_", "|1\r\n2"]);
}

#[test]
fn a_cell_that_is_too_long_is_named() {
    let desk = Desk::new();
    let text = format!("a,b\n1,2\n3,{}\n", "é".repeat(32_768));
    let error = "the cell in row 3, column B has 32768 characters, a spreadsheet cell holds \
                 32767; shorten it, or export as csv or json";
    assert_eq!(desk.error(text, "csv/convert-to-excel", "{}"), error);
    let text = format!("a\n{}\n", "é".repeat(32_767));
    let rows = desk.sheet(&text, "csv/convert-to-excel", "{}");
    assert_eq!(rows[1].chars().count(), 32_767);
}

#[test]
fn a_failure_leaves_nothing_behind() {
    let desk = Desk::new();
    let before = desk.file("in.csv", "a,b\n1,2\n3,4,5\n");
    desk.try_run(&before, "csv/convert-to-excel", "{}").unwrap_err();
    let left: Vec<_> = fs::read_dir(desk.folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[test]
fn formulas_are_defused_in_text_and_numbers_are_not() {
    let desk = Desk::new();
    let text = "a,=h\n=1+1,@x\n-5,+1 (555) 123-4567\n+A1,x\n";
    let csv = "a,'=h\n'=1+1,'@x\n-5,+1 (555) 123-4567\n'+A1,x\n";
    assert_eq!(desk.text(text, "excel/convert-to-csv", "{}"), csv);
}

#[test]
fn text_is_quoted_only_where_it_must_be() {
    let desk = Desk::new();
    let text = "a;b\n\"x,y\";\"say \"\"hi\"\"\"\n\" z \";\"1\n2\"\n";
    let csv = "a,b\n\"x,y\",\"say \"\"hi\"\"\"\n z ,\"1\n2\"\n";
    assert_eq!(desk.text(text, "excel/convert-to-csv", "{}"), csv);
    assert_eq!(desk.text("a\n\"\"\nx\n", "excel/convert-to-csv", "{}"), "a\n\"\"\nx\n");
}

/// Fields of all kinds, but none that would be defused.
fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,25}",
        "-?[0-9]{1,5}\\.[0-9]{1,5}",
        "[ -<>?A-~]{0,12}",
        "[\u{a0}-\u{2fff}\u{1f600}-\u{1f64f}]{0,6}",
        "[ab,;\"\r\n\t_x00D]{0,8}",
    ]
    .prop_filter("not defused", |text| {
        !text.starts_with(['+', '-', '=', '@', '\t', '\r', '\n', '＝'])
    })
}

fn table() -> impl Strategy<Value = Vec<Vec<String>>> {
    (2..5usize).prop_flat_map(|columns| {
        proptest::collection::vec(proptest::collection::vec(field(), columns), 0..8)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_table_survives_becoming_a_sheet_and_text_again(rows in table()) {
        let desk = Desk::new();
        let columns = rows.first().map_or(2, Vec::len);
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record((0..columns).map(|at| format!("c{at}"))).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let written = writer.into_inner().unwrap();
        let input = desk.file("in.csv", &written);
        let book = desk.run(&input, "csv/convert-to-excel", "{}").file.unwrap();
        prop_assert_eq!(sheet(&book).is_empty(), false);
        let text = desk.run(&book, "excel/convert-to-csv", "{}").file.unwrap();
        let mut reader = csv::ReaderBuilder::new().from_path(text).unwrap();
        let read: Vec<Vec<String>> =
            reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
        // Rows of nothing at the end are not part of a sheet.
        let used = rows.iter().rposition(|row| row.iter().any(|cell| !cell.is_empty()));
        prop_assert_eq!(&read, &rows[..used.map_or(0, |at| at + 1)]);
    }
}
