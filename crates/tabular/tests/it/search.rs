//! The rows that fulfil conditions.
use std::fs;

use quadrille_tabular::{OPERATORS, Operation};
use serde_json::json;

use crate::{
    desk::{Desk, name, sheet, sheet_at},
    workbook::workbook,
};

/// The cells of the column `v` with these `values` that fulfil the condition.
fn found(values: &[&str], operator: &str, value: &str) -> Vec<String> {
    let desk = Desk::new();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["v", "end"]).unwrap();
    for value in values {
        writer.write_record([value, "."]).unwrap();
    }
    let args = format!(
        r#"{{"conditions":[{{"column":"v","operator":"{operator}","value":{value}}}],
            "output_format":"json"}}"#
    );
    let content = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    let rows: serde_json::Value =
        serde_json::from_str(&desk.text(&content, "csv/search", &args)).unwrap();
    let rows = rows.as_array().unwrap();
    rows.iter().map(|row| row["v"].as_str().unwrap().to_owned()).collect()
}

const WORDS: [&str; 5] = ["Apple", "apple pie", "Banana", "", "a.c"];
const NUMBERS: [&str; 8] = ["10", "9", "1e2", "", "abc", " 10 ", "1,000", "inf"];

#[test]
fn texts_are_compared_as_they_are_written() {
    assert_eq!(found(&WORDS, "equals", "\"Apple\""), ["Apple"]);
    assert_eq!(found(&WORDS, "EQUALS", "\"apple\""), Vec::<String>::new());
    assert_eq!(found(&WORDS, "not_equals", "\"Apple\""), ["apple pie", "Banana", "", "a.c"]);
    assert_eq!(found(&WORDS, "starts_with", "\"a\""), ["apple pie", "a.c"]);
    assert_eq!(found(&WORDS, "ends_with", "\"e\""), ["Apple", "apple pie"]);
    assert_eq!(found(&WORDS, "is_empty", "null"), [""]);
    assert_eq!(found(&WORDS, "is_not_empty", "null").len(), 4);
    assert_eq!(found(&["10", "10.0", "1e1"], "equals", "10"), ["10"]);
    assert_eq!(found(&["10", "10.0", "1e1"], "equals", "10.0"), ["10.0"]);
    assert_eq!(found(&["true", "True", "None"], "equals", "true"), ["True"]);
    assert_eq!(found(&["true", "True", "None"], "equals", "null"), ["None"]);
    assert_eq!(found(&["[1, 'a']"], "equals", "[1, \"a\"]"), ["[1, 'a']"]);
}

#[test]
fn contains_is_literal_and_ignores_case() {
    assert_eq!(found(&WORDS, "contains", "\"APPLE\""), ["Apple", "apple pie"]);
    assert_eq!(found(&WORDS, "contains", "\".\""), ["a.c"]);
    assert_eq!(found(&WORDS, "not_contains", "\"a\""), [""]);
    assert_eq!(found(&["caf\u{e9}", "a+b (x"], "contains", "\"\u{c9}\""), ["café"]);
    assert_eq!(found(&["café", "a+b (x"], "contains", "\"A+B (\""), ["a+b (x"]);
    assert_eq!(found(&WORDS, "contains", "\"\"").len(), 5);
    let streets = ["ΟΔΟΣ", "ΟΔΟΣΑ", "οδος"];
    assert_eq!(found(&streets, "contains", "\"ΟΔΟΣ\""), streets);
    assert_eq!(found(&WORDS, "regex", "\"^[aB].*[ae]$\""), ["apple pie", "Banana"]);
}

#[test]
fn numbers_are_compared_by_value() {
    assert_eq!(found(&NUMBERS, "greater_than", "9"), ["10", "1e2", " 10 ", "inf"]);
    assert_eq!(found(&NUMBERS, "greater_than_or_equal", "\"10\""), ["10", "1e2", " 10 ", "inf"]);
    assert_eq!(found(&NUMBERS, "less_than", "10.5"), ["10", "9", " 10 "]);
    assert_eq!(found(&NUMBERS, "less_than_or_equal", "9"), ["9"]);
    assert_eq!(found(&NUMBERS, "less_than", "\"x\""), Vec::<String>::new());
    assert_eq!(found(&NUMBERS, "between", "[5,10]"), ["10", "9", " 10 "]);
    assert_eq!(found(&NUMBERS, "between", "[10,5]"), Vec::<String>::new());
    let long = ["9007199254740993", "9007199254740992", ""];
    assert_eq!(found(&long, "greater_than", "9007199254740992"), ["9007199254740993"]);
}

#[test]
fn dates_are_compared_in_whatever_form_they_are() {
    let dates =
        ["2024-01-15", "2024-01-16 10:00:00", "Jan 5, 2024", "x", "", "2024-01-15T01:00+02:00"];
    assert_eq!(
        found(&dates, "before", "\"2024-01-15\""),
        ["Jan 5, 2024", "2024-01-15T01:00+02:00"]
    );
    assert_eq!(found(&dates, "after", "\"15 January 2024\""), ["2024-01-16 10:00:00"]);
    assert_eq!(
        found(&dates, "between", "[\"2024-01-05\",\"2024-01-15\"]"),
        ["2024-01-15", "Jan 5, 2024", "2024-01-15T01:00+02:00"]
    );
    assert_eq!(found(&dates, "after", "null"), Vec::<String>::new());
    assert_eq!(found(&dates, "after", "1705363200000000000"), ["2024-01-16 10:00:00"]);
    assert_eq!(found(&["2026-11-20", "2026-11-21"], "after", "\"now\""), ["2026-11-21"]);
}

#[test]
fn a_column_with_days_first_is_read_so_throughout() {
    let dates = ["01/02/2024", "13/02/2024"];
    assert_eq!(found(&dates, "after", "\"2024-01-31\""), dates);
    assert_eq!(found(&dates[..1], "after", "\"2024-01-31\""), Vec::<String>::new());
}

#[test]
fn conditions_are_all_true_or_one_of_them() {
    let desk = Desk::new();
    let text = "n,c\n1,x\n2,y\n3,x\n";
    let args = |logic: &str| {
        format!(
            r#"{{"logic":"{logic}","conditions":[
                {{"column":"n","operator":"greater_than","value":1}},
                {{"column":"c","operator":"equals","value":"x"}}]}}"#
        )
    };
    assert_eq!(desk.sheet(text, "excel/search", &args("And")), ["n|c", "3|x"]);
    assert_eq!(desk.sheet(text, "excel/search", &args("OR")), ["n|c", "1|x", "2|y", "3|x"]);
    let data = desk.data(text, "csv/search", &args("or"));
    assert_eq!(data, json!({"total_rows": 3, "filtered_rows": 3}));
}

#[test]
fn results_have_the_format_that_is_asked_for() {
    let desk = Desk::new();
    let input = desk.file("in.csv", "a,é/\n=1,\n2,x\n");
    let run = |operation: &str, format: &str| {
        let args =
            format!(r#"{{"conditions":[{{"column":"a","operator":"is_not_empty"}}]{format}}}"#);
        desk.run(&input, operation, &args)
    };
    for (operation, format) in [
        ("excel/search", ""),
        ("excel/search", r#","output_format":"excel""#),
        ("csv/search", r#","output_format":"xlsx""#),
    ] {
        let outcome = run(operation, format);
        assert_eq!(outcome.file.as_ref().unwrap().extension().unwrap(), "xlsx");
        let path = outcome.file.unwrap();
        assert_eq!(sheet(&path), ["a|é/", "=1|_", "2|x"]);
        let book: calamine::Xlsx<_> = calamine::open_workbook(&path).unwrap();
        assert_eq!(calamine::Reader::sheet_names(&book), ["Sheet1"]);
    }
    let csv = run("csv/search", "");
    assert_eq!(name(&csv), "in_search_20261120_220637.csv");
    assert_eq!(fs::read_to_string(csv.file.unwrap()).unwrap(), "a,é/\n'=1,\n2,x\n");
    let json = run("excel/search", r#","output_format":"json""#);
    assert_eq!(name(&json), "in_search_20261120_220637.json");
    let text = "[\n  {\n    \"a\":\"=1\",\n    \"\\u00e9\\/\":\"\"\n  },\n  {\n    \"a\":\"2\",\n    \
                \"\\u00e9\\/\":\"x\"\n  }\n]";
    assert_eq!(fs::read_to_string(json.file.unwrap()).unwrap(), text);
    let none =
        r#"{"conditions":[{"column":"a","operator":"equals","value":"q"}],"output_format":"json"}"#;
    assert_eq!(desk.text("a\n1\n", "csv/search", none), "[\n\n]");
    let rows = desk.sheet("a\n1\n", "excel/search", &none.replace("json", "xlsx"));
    assert_eq!(rows, ["a"]);
    assert!(sheet_at(&desk.run(&input, "csv/convert-to-excel", "{}").file.unwrap(), 1).len() > 1);
}

#[test]
fn wrong_conditions_are_named() {
    let wrong = |args: &str| Operation::parse("excel/search", args).unwrap_err().to_string();
    assert_eq!(wrong("{}"), "At least one search condition is required");
    assert_eq!(wrong(r#"{"conditions":[{}],"logic":"xor"}"#), "Logic must be either 'AND' or 'OR'");
    assert_eq!(
        wrong(r#"{"conditions":[{"operator":"is_null"}]}"#),
        "Unsupported operator: is_null"
    );
    assert_eq!(
        wrong(r#"{"conditions":[{"operator":"between","value":[1]}]}"#),
        "For 'between' operator, value must be a list with [min, max]"
    );
    assert_eq!(
        wrong(r#"{"conditions":[{"operator":"is_empty"}],"output_format":"XLSX"}"#),
        "Failed to save search results: Unsupported output format: XLSX. \
         Supported formats: xlsx, csv, json"
    );
    assert_eq!(
        wrong(r#"{"conditions":[{"column":5}]}"#),
        "argument `conditions[0].column`: invalid type: integer `5`, expected a string"
    );
    assert_eq!(
        wrong(r#"{"conditions":{"column":"a"}}"#),
        "argument `conditions`: invalid type: map, expected a sequence"
    );
    let regex = wrong(r#"{"conditions":[{"operator":"regex","value":"a("}]}"#);
    assert!(regex.starts_with("argument `conditions[0].value`: regex parse error"), "{regex}");
    let desk = Desk::new();
    let args = r#"{"conditions":[{"column":"zz","operator":"is_empty"}]}"#;
    assert_eq!(desk.error("a\n1\n", "csv/search", args), "Column 'zz' not found in data");
}

#[test]
fn cells_without_a_value_fulfil_only_what_is_negative() {
    let desk = Desk::new();
    let rows = "<row><c t=\"inlineStr\"><is><t>v</t></is></c></row>\
                <row><c t=\"e\"><v>#N/A</v></c></row><row><c><v>1</v></c></row>";
    let book = desk.file("in.xlsx", workbook(rows, ""));
    for operator in OPERATORS {
        let value = if operator == "between" { "[0,9]" } else { "\"q\"" };
        let args = format!(
            r#"{{"conditions":[{{"column":"v","operator":"{operator}","value":{value}}}],
                "output_format":"json"}}"#
        );
        let path = desk.run(&book, "csv/search", &args).file.unwrap();
        let found = fs::read_to_string(path).unwrap().contains("\"v\":null");
        let negative = ["not_equals", "not_contains", "is_empty"].contains(&operator);
        assert_eq!(found, negative, "{operator}");
    }
}

#[test]
fn every_operator_is_known() {
    for operator in OPERATORS {
        let args = format!(r#"{{"conditions":[{{"operator":"{operator}","value":[1,2]}}]}}"#);
        Operation::parse("csv/search", &args).unwrap();
    }
}
