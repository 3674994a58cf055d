//! Columns of a second table.
use quadrille_tabular::Operation;
use serde_json::json;

use crate::{
    desk::{Desk, sheet},
    workbook::workbook,
};

const IDS: &str = "id,x\n1,a\n001,b\n1,c\n,d\n";
const MAILS: &str = "id,mail\n1,a@x\n1,dup\n2,b@x\n,blank\n";

fn desk(bind: &str) -> Desk {
    Desk::new().bind("bind.csv", bind)
}

#[test]
fn the_first_row_of_a_key_is_bound_to_every_row_that_has_it() {
    let desk = desk(MAILS);
    let args = r#"{"bind_file":"bind.csv","comparison_column":"id","bind_columns":["mail"]}"#;
    let rows = ["id|x|mail", "1|a|a@x", "001|b|_", "1|c|a@x", "_|d|blank"];
    assert_eq!(desk.sheet(IDS, "excel/bind-single-key", args), rows);
    let data = desk.data(IDS, "excel/bind-single-key", args);
    let expected = json!({
        "source_rows": 4, "bind_rows": 4, "matched_rows": 3, "unmatched_rows": 1,
        "columns_bound": 1,
        "statistics": {
            "comparison_column": "id", "bind_columns": ["mail"], "unique_keys_in_bind": 3,
            "duplicate_keys_removed": 1, "match_percentage": 75.0,
        },
    });
    assert_eq!(data, expected);
}

#[test]
fn several_keys_must_all_be_the_same() {
    let desk = desk("b,a,v,w\n2,1,first,W\n1,2,second,\n");
    let args =
        r#"{"bind_file":"bind.csv","comparison_columns":["a","b"],"bind_columns":["w","v"]}"#;
    let rows = ["a|b|w|v", "1|2|W|first", "2|1|_|second", "1|1|_|_"];
    assert_eq!(desk.sheet("a,b\n1,2\n2,1\n1,1\n", "excel/bind-multi-key", args), rows);
}

#[test]
fn no_value_is_a_key_of_its_own() {
    let text = |text: &str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
    let none = "<c t=\"e\"><v>#N/A</v></c>";
    let rows = format!("<row>{}</row><row>{none}</row><row>{}</row>", text("id"), text(" 1"));
    let bind = format!(
        "<row>{}{}</row><row><c/>{}</row><row>{none}{}</row><row>{}{}</row>",
        text("id"),
        text("v"),
        text("blank"),
        text("none"),
        text("1"),
        text("one")
    );
    let desk = Desk::new().bind("bind.xlsx", workbook(&bind, ""));
    let input = desk.file("in.xlsx", workbook(&rows, ""));
    let args = r#"{"bind_file":"b","comparison_column":"id","bind_columns":["v"]}"#;
    let outcome = desk.run(&input, "excel/bind-single-key", args);
    assert_eq!(sheet(&outcome.file.unwrap()), ["id|v", "_|none", " 1|_"]);
}

#[test]
fn binding_nothing_leaves_the_table_as_it_was() {
    let desk = desk(MAILS);
    let args = r#"{"bind_file":"bind.csv","comparison_column":"id"}"#;
    let rows = ["id|x", "1|a", "001|b", "1|c", "_|d"];
    assert_eq!(desk.sheet(IDS, "excel/bind-single-key", args), rows);
}

#[test]
fn columns_that_cannot_be_bound_are_named() {
    let desk = desk(MAILS);
    let single = |key: &str, columns: &str| {
        let args =
            format!(r#"{{"bind_file":"b","comparison_column":"{key}","bind_columns":{columns}}}"#);
        desk.error("id,name,zz\n1,2,3\n", "excel/bind-single-key", &args)
    };
    assert_eq!(single("q", "[]"), "Comparison column 'q' not found in source file");
    assert_eq!(single("zz", "[]"), "Comparison column 'zz' not found in bind file");
    let text = "Bind columns not found in bind file: ['q', \"x's\"]";
    assert_eq!(single("id", "[\"q\",\"x's\"]"), text);
    let multi = |keys: &str, columns: &str| {
        let args =
            format!(r#"{{"bind_file":"b","comparison_columns":{keys},"bind_columns":{columns}}}"#);
        desk.error("id,mail,zz\n1,2,3\n", "excel/bind-multi-key", &args)
    };
    let text = "Comparison columns not found in source file: ['k']";
    assert_eq!(multi(r#"["id","k"]"#, "[]"), text);
    let text = "Comparison columns not found in bind file: ['zz']";
    assert_eq!(multi(r#"["id","zz"]"#, "[]"), text);
    let text = "Bind columns already exist in source file: ['mail']. \
                This would overwrite existing data.";
    assert_eq!(multi(r#"["id"]"#, r#"["mail"]"#), text);
}

#[test]
fn a_bind_file_that_is_not_there_is_named() {
    let desk = Desk::new();
    let args = r#"{"bind_file":"gone.xlsx","comparison_column":"id","bind_columns":["mail"]}"#;
    let input = desk.file("in.csv", IDS);
    let error = desk.try_run(&input, "excel/bind-single-key", args).unwrap_err();
    let text = "Single-key binding failed: Failed to read Excel file: \
                [Errno 2] No such file or directory: 'gone.xlsx'";
    assert_eq!(error.to_string(), text);
    let advice = "upload the file to this chat first, and use the name it has there";
    assert_eq!(error.advice().unwrap(), advice);
}

#[test]
fn the_file_that_is_needed_is_known_beforehand() {
    let args = r#"{"bind_file":"../b.csv","comparison_column":"id"}"#;
    let operation = Operation::parse("excel/bind-single-key", args).unwrap();
    assert_eq!(operation.bind_file(), Some("../b.csv"));
    assert_eq!(Operation::parse("excel/search", SEARCH).unwrap().bind_file(), None);
}

const SEARCH: &str = r#"{"conditions":[{"column":"a","operator":"is_empty"}]}"#;

#[test]
fn wrong_arguments_are_named() {
    let wrong = |name: &str, args: &str| Operation::parse(name, args).unwrap_err().to_string();
    assert_eq!(
        wrong("excel/bind-single-key", r#"{"bind_file":"b","key_column":"id"}"#),
        "argument `comparison_column` is missing; name the column that both files have"
    );
    assert_eq!(
        wrong("excel/bind-single-key", r#"{"comparison_column":"id"}"#),
        "argument `bind_file` is missing; name the file whose columns are to be added"
    );
    assert_eq!(
        wrong("excel/bind-multi-key", r#"{"bind_file":"b"}"#),
        "At least one comparison column must be specified"
    );
    let args = r#"{"bind_file":"b","comparison_column":"id","bind_columns":["m","id"]}"#;
    assert_eq!(
        wrong("excel/bind-single-key", args),
        "argument `bind_columns[1]`: 'id' is named twice, or is a comparison column"
    );
}

#[test]
fn bound_columns_and_keys_are_bounded() {
    let mut desk = desk(MAILS);
    desk.limits.max_held = 100;
    let args = r#"{"bind_file":"b","comparison_column":"id","bind_columns":["mail"]}"#;
    let text = "Single-key binding failed: the columns of the bind file take more than 100 bytes; \
                bind fewer columns at once";
    assert_eq!(desk.error(IDS, "excel/bind-single-key", args), text);
    desk.limits.max_distinct = 2;
    desk.limits.max_held = 1 << 20;
    let text = "Single-key binding failed: there are more than 2 different rows, keys or values; \
                split the file";
    assert_eq!(desk.error(IDS, "excel/bind-single-key", args), text);
}
