//! Operations on a single file, outside of workflows.
use std::{fs, ops::ControlFlow};

use quadrille_tabular::{Error, Limits, Operation, TEXT_OPERATORS, TableInfo};
use serde_json::json;

use crate::{
    desk::{Desk, name, sheet, sheet_at},
    workbook::workbook,
};

fn info(desk: &Desk, content: impl AsRef<[u8]>) -> Result<TableInfo, Error> {
    let path = desk.file("in", content);
    TableInfo::read(&path, None, &Limits::default(), &mut |_| ControlFlow::Continue(()))
}

#[test]
fn a_file_says_what_it_has() {
    let desk = Desk::new();
    let csv = info(&desk, "a,a,\n1,2,3\n4,5,6\n").unwrap();
    let columns = ["a", "a.1", "Unnamed: 2"].map(str::to_owned).to_vec();
    assert_eq!(csv, TableInfo { sheets: Vec::new(), columns, rows: 2 });
    let row = |text: &str| format!("<row><c t=\"inlineStr\"><is><t>{text}</t></is></c></row>");
    let book = info(&desk, workbook(&[row("a"), row("1")].concat(), "")).unwrap();
    let (sheets, columns) = (["First", "Second"].map(str::to_owned).to_vec(), vec!["a".to_owned()]);
    assert_eq!(book, TableInfo { sheets, columns, rows: 1 });
    let err = info(&desk, b"\x89PNG").unwrap_err().to_string();
    assert!(err.contains("is an image"), "{err}");
    let rows = "1\n".repeat(5000);
    let path = desk.file("in", format!("a\n{rows}"));
    let ended = TableInfo::read(&path, None, &Limits::default(), &mut |_| ControlFlow::Break(()));
    assert!(matches!(ended, Err(Error::Cancelled { .. })), "{ended:?}");
}

#[test]
fn operators_for_text_need_no_number_and_no_date() {
    let last = TEXT_OPERATORS.last().copied();
    assert_eq!((TEXT_OPERATORS.len(), last), (8, Some("is_not_empty")));
}

#[test]
fn a_sheet_is_found_by_its_name() {
    let mut desk = Desk::new();
    let row = "<row><c t=\"inlineStr\"><is><t>a</t></is></c></row>";
    let input = desk.file("in.xlsx", workbook(row, ""));
    assert_eq!(desk.read(&input), ["a"]);
    desk.sheet = Some("Second");
    assert_eq!(desk.read(&input), [""]);
    desk.sheet = Some("second");
    let err = desk.try_run(&input, "excel/convert-to-csv", "{}").unwrap_err();
    let told = "Failed to read Excel file: Worksheet named 'second' not found";
    assert_eq!(err.to_string(), told);
    assert_eq!(err.advice().unwrap(), "the sheets of the workbook are: First, Second");
    // A text file has no sheets to choose from.
    let input = desk.file("in.csv", "a\n1\n");
    assert_eq!(desk.read(&input), ["a", "1"]);
}

#[test]
fn a_result_is_called_as_it_is_wished() {
    let mut desk = Desk::new();
    desk.output = Some("my file.v2.xlsx");
    let input = desk.file("in.csv", "a\n1\n");
    let args = r#"{"mapping":{"b":"a"}}"#;
    let outcome = desk.run(&input, "excel/map-columns", args);
    assert_eq!(name(&outcome), "my file.v2.xlsx");
    assert_eq!(sheet_at(outcome.file.as_deref().unwrap(), 1)[1], "File|my file.v2.xlsx");
    assert_eq!(name(&desk.run(&input, "excel/map-columns", args)), "my file.v2_2.xlsx");
}

#[test]
fn columns_are_overwritten_row_by_row() {
    // The first sheet of the result, and what was counted.
    let run = |source: &str, target: &str, args: &str| {
        let desk = Desk::new().bind("source.csv", source);
        let input = desk.file("target.csv", target);
        let outcome = desk.do_it(&input, &Operation::overwrite(args).unwrap())?;
        assert!(name(&outcome).starts_with("target_bound_"));
        let sheet = sheet(outcome.file.as_deref().unwrap());
        Ok::<_, Error>((sheet, outcome.data, outcome.warnings))
    };
    let args = r#"{"column_mapping":{"b":"x","a":"y"}}"#;
    let (sheet, data, warnings) = run("x,y\n1,2\n3,4\n5,6\n", "a,b,c\n,,k\n,,l\n", args).unwrap();
    assert_eq!(sheet, ["a|b|c", "2|1|k", "4|3|l"]);
    assert_eq!(data, json!({"target_rows": 2, "bound_rows": 2}));
    assert_eq!(warnings, ["the source file has more than 2 rows; the rest is not used"]);
    let (sheet, data, warnings) = run("x,y\n1,2\n", "a,b,c\np,q,k\nr,s,l\n", args).unwrap();
    assert_eq!(sheet, ["a|b|c", "2|1|k", "_|_|l"]);
    assert_eq!(data, json!({"target_rows": 2, "bound_rows": 1}));
    assert_eq!(warnings, [""; 0]);
    let told = |args: &str| run("x\n1\n", "a\n1\n", args).unwrap_err().to_string();
    let prefix = "Data binding failed: Column mapping validation failed: ";
    assert_eq!(
        told(r#"{"column_mapping":{"a":"Z"}}"#),
        format!("{prefix}Source column 'Z' not found")
    );
    assert_eq!(
        told(r#"{"column_mapping":{"Q":"x"}}"#),
        format!("{prefix}Target column 'Q' not found")
    );
}

#[test]
fn statements_are_data_line_by_line_whatever_is_in_them() {
    let desk = Desk::new();
    let input = desk.file("in.csv", "a\n\"x\ny\"\n");
    let operation = Operation::statements(r#"{"table_name":"t"}"#).unwrap();
    let outcome = desk.do_it(&input, &operation).unwrap();
    assert_eq!(outcome.file, None);
    let lines = outcome.data["statements"].as_array().unwrap();
    assert_eq!(outcome.data["total_statements"], lines.len());
    assert_eq!(
        lines[6..],
        [json!("BEGIN;"), json!("INSERT INTO t (a) VALUES ('x\ny');"), json!("COMMIT;")]
    );
    assert_eq!(
        (&lines[0], &lines[4]),
        (&json!("-- Generated SQL statements"), &json!("-- Total rows: 1"))
    );
    // Nothing is left, not even for the head.
    let left: Vec<_> = fs::read_dir(desk.folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let mut desk = desk;
    desk.limits.max_held = 10;
    let err = desk.do_it(&input, &operation).unwrap_err().to_string();
    assert_eq!(err, "the statements take more than 10 bytes; ask for them as a file instead");
}
