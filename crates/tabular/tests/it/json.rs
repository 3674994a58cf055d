//! Rows as JSON.
use quadrille_tabular::Operation;

use crate::{
    desk::{Desk, name},
    workbook::workbook,
};

const TABLE: &str = "id,e\n1,é/\n,x\n";

fn generate(content: &str, args: &str) -> String {
    Desk::new().text(content, "json/generate", args)
}

#[test]
fn every_row_is_an_object_of_texts() {
    let all = "[\n  {\n    \"id\": \"1\",\n    \"e\": \"é/\"\n  },\n  {\n    \"id\": \"\",\n    \"e\": \"x\"\n  }\n]";
    assert_eq!(generate(TABLE, "{}"), all);
    let args = r#"{"column_mapping":{"e":"E","id":"ID"},"pretty_print":false}"#;
    assert_eq!(generate(TABLE, args), r#"[{"E": "é/", "ID": "1"}, {"E": "x", "ID": ""}]"#);
    let args = r#"{"columns":["e"],"pretty_print":false}"#;
    assert_eq!(generate(TABLE, args), r#"[{"e": "é/"}, {"e": "x"}]"#);
    let args = r#"{"column_mapping":{"id":"k","e":"k"},"pretty_print":false}"#;
    assert_eq!(generate(TABLE, args), r#"[{"k": "é/"}, {"k": "x"}]"#);
}

#[test]
fn cells_without_a_value_are_null_or_left_out_or_empty() {
    let desk = Desk::new();
    let text = |text: &str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
    let rows = format!(
        "<row>{}{}</row><row><c><v>1</v></c><c t=\"e\"><v>#N/A</v></c></row><row><c/>{}</row>",
        text("id"),
        text("e"),
        text("x")
    );
    let book = desk.file("in.xlsx", workbook(&rows, ""));
    let json = |nulls: &str| {
        let args =
            format!(r#"{{"column_mapping":{{"id":"ID","e":"E"}},"pretty_print":false{nulls}}}"#);
        let outcome = desk.run(&book, "json/generate", &args);
        std::fs::read_to_string(outcome.file.unwrap()).unwrap()
    };
    assert_eq!(json(""), r#"[{"ID": "1", "E": null}, {"ID": "", "E": "x"}]"#);
    let exclude = r#","null_handling":"exclude""#;
    assert_eq!(json(exclude), r#"[{"ID": "1"}, {"ID": "", "E": "x"}]"#);
    let default = r#","null_handling":"default""#;
    assert_eq!(json(default), r#"[{"ID": "1", "E": ""}, {"ID": "", "E": "x"}]"#);
}

#[test]
fn one_object_can_stand_alone() {
    let bare = r#"{"array_wrapper":false,"pretty_print":false}"#;
    assert_eq!(generate("a\n1\n", bare), r#"{"a": "1"}"#);
    assert_eq!(generate("a\n1\n2\n", bare), r#"[{"a": "1"}, {"a": "2"}]"#);
    assert_eq!(generate("a\n", bare), "{}");
    assert_eq!(generate("a\n", "{}"), "[]");
    assert_eq!(generate("a\n1\n", r#"{"array_wrapper":false}"#), "{\n  \"a\": \"1\"\n}");
}

#[test]
fn files_are_named_and_counted() {
    let desk = Desk::new();
    let input = desk.file("in.csv", TABLE);
    let outcome = desk.run(&input, "json/generate", "{}");
    assert_eq!(name(&outcome), "in_json_20261120_220637.json");
    assert_eq!((outcome.rows, outcome.data), (2, serde_json::json!({"total_records": 2})));
    let outcome = desk.run(&input, "json/generate-with-template", r#"{"template":{"a":1}}"#);
    assert_eq!(name(&outcome), "in_json_template_20261120_220637.json");
}

#[test]
fn unknown_columns_and_modes_are_named() {
    let desk = Desk::new();
    let error = |args: &str| desk.error(TABLE, "json/generate", args);
    assert_eq!(error(r#"{"columns":["zz"]}"#), "Columns not found: zz");
    let args = r#"{"column_mapping":{"zz":"a","id":"b","q":"c"}}"#;
    assert_eq!(error(args), "Columns not found in data: zz, q");
    let args = r#"{"columns":["id"],"column_mapping":{"e":"a"}}"#;
    assert_eq!(error(args), "Columns not found in data: e");
    let error = Operation::parse("json/generate", r#"{"null_handling":"x"}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Invalid null_handling: x. Must be 'include', 'exclude', or 'default'"
    );
}

fn shape(content: &str, template: &str, more: &str) -> String {
    let args = format!(r#"{{"template":{template},"pretty_print":false{more}}}"#);
    Desk::new().text(content, "json/generate-with-template", &args)
}

#[test]
fn a_template_gives_every_row_its_shape() {
    let template = r#"{"id":"{id:int}","mix":"{id}-{name|anon}","z":[1,"{name}",null,{"k":2.5}]}"#;
    assert_eq!(
        shape("id,name\n1,Ž\n,\n", template, ""),
        "[{\"id\": 1, \"mix\": \"1-Ž\", \"z\": [1, \"Ž\", null, {\"k\": 2.5}]}, \
         {\"id\": null, \"mix\": \"-anon\", \"z\": [1, \"\", null, {\"k\": 2.5}]}]"
    );
    let mapping = r#","column_mapping":{"who":"name"}"#;
    assert_eq!(shape("name\nA\n", r#""[\"{who}\",\"{name}\"]""#, mapping), r#"[["A", null]]"#);
}

#[test]
fn a_placeholder_alone_keeps_its_type() {
    let one = |cell: &str, text: &str| {
        let json = shape(&format!("n,end\n{cell},.\n"), &format!(r#"{{"v":"{text}"}}"#), "");
        json.strip_prefix("[{\"v\": ").unwrap().strip_suffix("}]").unwrap().to_owned()
    };
    let cases = [
        ("1", "{n}", "\"1\""),
        ("", "{n}", "\"\""),
        ("1", "{n:int}", "1"),
        ("1e3", "{n:int}", "1000"),
        ("12345678901234567", "{n:int}", "12345678901234567"),
        ("", "{n:int}", "null"),
        ("x", "{n:int}", "\"x\""),
        ("inf", "{n:int}", "null"),
        ("1", "{n:float}", "1.0"),
        ("nan", "{n:float}", "null"),
        ("Yes", "{n:bool}", "true"),
        ("y", "{n:bool}", "false"),
        ("", "{n:bool}", "false"),
        ("1", "{n:string}", "\"1\""),
        ("", "{n|d}", "\"d\""),
        ("", "{ n : int | 0 }", "0"),
        ("1", "x{n}y", "\"x1y\""),
        ("1", "{n:bool}!", "\"True!\""),
        ("", "{n:bool}!", "\"False!\""),
        ("no", "{n:bool}!", "\"False!\""),
        ("", "{n:bool|yes}", "true"),
        ("", "{n:int}!", "\"!\""),
        ("", "{n:float}", "null"),
        ("", "{n:json}", "\"\""),
        ("2", "{n:float}%", "\"2.0%\""),
        ("1", "{zz}", "null"),
        ("1", "{zz|q}", "\"q\""),
        ("1", "{}", "\"{}\""),
        ("1", "{{n}}", "\"}\""),
        ("{end}", "{n}{end}", "\"{end}.\""),
    ];
    for (cell, text, value) in cases {
        assert_eq!(one(cell, text), value, "{text} of {cell}");
    }
}

#[test]
fn a_missing_cell_has_no_value_of_any_type() {
    let desk = Desk::new();
    let rows =
        "<row><c t=\"inlineStr\"><is><t>n</t></is></c></row><row><c t=\"e\"><v>#N/A</v></c></row>";
    let input = desk.file("in.xlsx", crate::workbook::workbook(rows, ""));
    let args = r#"{"template":{"a":"{n}","b":"{n:bool}","c":"{n:int}","d":"{n:bool}!","e":"{n:bool|1}"},
        "pretty_print":false}"#;
    let file = desk.run(&input, "json/generate-with-template", args).file.unwrap();
    let right = r#"[{"a": null, "b": null, "c": null, "d": "!", "e": true}]"#;
    assert_eq!(std::fs::read_to_string(file).unwrap(), right);
}

#[test]
fn rows_are_aggregated_as_asked() {
    let mode = |rows: &str, mode: &str| {
        shape(rows, r#"{"a":"{a}"}"#, &format!(r#","aggregation_mode":"{mode}""#))
    };
    assert_eq!(mode("a\n1\n2\n", "array"), r#"[{"a": "1"}, {"a": "2"}]"#);
    assert_eq!(mode("a\n1\n2\n", "single"), r#"[{"a": "1"}, {"a": "2"}]"#);
    assert_eq!(mode("a\n1\n", "single"), r#"{"a": "1"}"#);
    assert_eq!(mode("a\n1\n2\n", "nested"), r#"{"items": [{"a": "1"}, {"a": "2"}], "count": 2}"#);
    for any in ["array", "single", "nested"] {
        assert_eq!(mode("a\n", any), "[]");
    }
    let args = r#"{"template":{"a":"{a}"},"aggregation_mode":"nested"}"#;
    let pretty = "{\n  \"items\": [\n    {\n      \"a\": \"1\"\n    },\n    {\n      \"a\": \"2\"\n    }\n  ],\n  \"count\": 2\n}";
    assert_eq!(Desk::new().text("a\n1\n2\n", "json/generate-with-template", args), pretty);
}

#[test]
fn wrong_templates_are_named() {
    let wrong =
        |args: &str| Operation::parse("json/generate-with-template", args).unwrap_err().to_string();
    assert_eq!(wrong("{}"), "Template cannot be empty");
    assert_eq!(wrong(r#"{"template":{}}"#), "Template cannot be empty");
    assert_eq!(wrong(r#"{"template":"[]"}"#), "Template cannot be empty");
    assert_eq!(wrong(r#"{"template":[1]}"#), "Template must be a JSON string or dictionary");
    let text = wrong(r#"{"template":"{a"}"#);
    assert!(text.starts_with("Invalid JSON template: key must be a string at line 1"), "{text}");
    assert_eq!(
        wrong(r#"{"template":{"a":1},"aggregation_mode":"x"}"#),
        "Invalid aggregation_mode: x. Must be 'array', 'single', or 'nested'"
    );
    let args = r#"{"template":{"a":1},"column_mapping":{"p":"nope","q":"z"}}"#;
    let error = Desk::new().error("a\n1\n", "json/generate-with-template", args);
    assert_eq!(error, "Columns not found in data: nope, z");
}
