//! Some columns of a table.
use serde_json::json;

use crate::desk::{Desk, name};

const TABLE: &str = "id,name,e\n1,Ann,x\n001,bob,\n1,Ann,x\n,Cé,TRUE\n";

#[test]
fn columns_are_extracted_as_data_with_statistics() {
    let desk = Desk::new();
    let args = r#"{"columns":["id","zz","id"],"unknown":1}"#;
    let data = desk.data(TABLE, "excel/extract-columns", args);
    let stamp = data["extraction_info"]["timestamp"].as_str().unwrap();
    assert!(stamp.starts_with("2026-11-20T22:06:37."), "{stamp}");
    let expected = json!({
        "extraction_info": {
            "total_rows": 4, "extracted_columns": ["id", "zz", "id"], "missing_columns": ["zz"],
            "remove_duplicates": false, "timestamp": stamp,
        },
        "columns": {"id": {
            "values": ["1", "001", "1", ""], "value_count": 4, "total_count": 4,
            "non_null_count": 4, "null_count": 0, "unique_count": 3, "data_type": "str",
        }},
    });
    assert_eq!(data, expected);
}

#[test]
fn duplicates_are_removed_from_each_column_by_itself() {
    let desk = Desk::new();
    let args = r#"{"columns":["id","e"],"remove_duplicates":true,"include_statistics":false}"#;
    let data = desk.data(TABLE, "excel/extract-columns", args);
    let columns = json!({
        "id": {"values": ["1", "001", ""], "value_count": 3},
        "e": {"values": ["x", "", "TRUE"], "value_count": 3},
    });
    assert_eq!(data["columns"], columns);
}

#[test]
fn columns_are_extracted_to_a_file_in_the_order_asked_for() {
    let desk = Desk::new();
    let name_id = r#"{"columns":["name","id","name"]}"#;
    let rows = ["name|id|name", "Ann|1|Ann", "bob|001|bob", "Ann|1|Ann", "Cé|_|Cé"];
    assert_eq!(desk.sheet(TABLE, "excel/extract-columns-to-file", name_id), rows);
    let unique = r#"{"columns":["id","name"],"remove_duplicates":true}"#;
    let rows = ["id|name", "1|Ann", "001|bob", "_|Cé"];
    assert_eq!(desk.sheet(TABLE, "excel/extract-columns-to-file", unique), rows);
}

#[test]
fn columns_that_do_not_exist_are_all_named() {
    let desk = Desk::new();
    let args = r#"{"columns":["x","id","y"]}"#;
    let input = desk.file("in.csv", TABLE);
    let error = desk.try_run(&input, "excel/extract-columns-to-file", args).unwrap_err();
    assert_eq!(error.to_string(), "Columns not found in data: x, y");
    assert_eq!(error.advice().unwrap(), "the columns of the file are: id, name, e");
}

#[test]
fn results_are_named_after_their_input_and_never_overwrite() {
    let desk = Desk::new();
    let input = desk.file("my.data.csv", TABLE);
    let args = r#"{"columns":["id"]}"#;
    let run = || desk.run(&input, "excel/extract-columns-to-file", args);
    let outcome = run();
    assert_eq!(name(&outcome), "my.data_extracted_20261120_220637.xlsx");
    assert_eq!(outcome.rows, 4);
    assert_eq!(name(&run()), "my.data_extracted_20261120_220637_2.xlsx");
}

#[test]
fn values_of_an_answer_have_a_bound_as_json() {
    let mut desk = Desk::new();
    desk.limits.max_inline = 2000;
    // As it is written, six bytes of each.
    let text = |count| format!("a\n{}\n", "\u{1}".repeat(count));
    let args = r#"{"columns":["a"]}"#;
    desk.data(&text(250), "excel/extract-columns", args);
    let input = desk.file("in.csv", text(320));
    let err = desk.try_run(&input, "excel/extract-columns", args).unwrap_err();
    let told =
        "the values of the columns take more than 2000 bytes; extract them to a file instead";
    assert_eq!(err.to_string(), told);
    let advice = "the operation for that is excel/extract-columns-to-file";
    assert_eq!(err.advice().as_deref(), Some(advice));
    // What is said beside the values counts, too, whatever it is of.
    let columns: Vec<_> = (0..200).map(|n| format!("column {n}")).collect();
    let args = serde_json::json!({ "columns": columns }).to_string();
    assert_eq!(desk.error("a\n1\n", "excel/extract-columns", &args), told);
    let items: Vec<_> = columns
        .iter()
        .map(|name| serde_json::json!({"column_name": name, "normalization_type": "trim"}))
        .collect();
    let args = serde_json::json!({ "normalizations": items }).to_string();
    let told = "the contents of the report take more than 2000 bytes; set return_report to false";
    assert!(desk.error("a\n1\n", "normalization/apply", &args).starts_with(told));
    // Without it, there is nothing that is too long but the warnings, which are few.
    let args = serde_json::json!({ "normalizations": items, "return_report": false }).to_string();
    desk.data("a\n1\n", "normalization/apply", &args);
}

#[test]
fn values_of_an_answer_are_bounded() {
    let mut desk = Desk::new();
    desk.limits.max_held = 200;
    let text = "the values of the columns take more than 200 bytes; extract them to a file instead";
    let args = r#"{"columns":["id","name"]}"#;
    assert_eq!(desk.error(TABLE, "excel/extract-columns", args), text);
    desk.limits.max_distinct = 2;
    let text = "there are more than 2 different rows, keys or values; split the file";
    let args = r#"{"columns":["id","name"],"remove_duplicates":true}"#;
    assert_eq!(desk.error(TABLE, "excel/extract-columns-to-file", args), text);
}
