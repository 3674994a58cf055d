//! Arguments that an operation does not take, named.
use quadrille_tabular::{BadArguments, NAMES, Operation};

use crate::{desk::Desk, workbook::two_sheets};

fn wrong(name: &str, arguments: &str) -> String {
    Operation::parse(name, arguments).unwrap_err().to_string()
}

#[test]
fn an_unknown_operation_is_named() {
    assert_eq!(wrong("foo/bar", "{}"), "No handler found for operation: foo/bar");
    for name in NAMES {
        let unknown = BadArguments::Unknown { name: name.to_owned() };
        assert_ne!(Operation::parse(name, "{}").err(), Some(unknown));
    }
}

#[test]
fn arguments_of_a_wrong_type_are_named() {
    let cases = [
        (
            "excel/extract-columns",
            r#"{"columns":"id"}"#,
            "argument `columns`: invalid type: string \"id\", expected a sequence",
        ),
        (
            "excel/extract-columns-to-file",
            r#"{"columns":["a",5]}"#,
            "argument `columns[1]`: invalid type: integer `5`, expected a string",
        ),
        (
            "excel/extract-columns",
            r#"{"remove_duplicates":"yes"}"#,
            "argument `remove_duplicates`: invalid type: string \"yes\", expected a boolean",
        ),
        (
            "csv/convert-to-excel",
            r#"{"sheet_name":1}"#,
            "argument `sheet_name`: invalid type: integer `1`, expected a string",
        ),
        (
            "normalization/apply",
            r#"{"normalizations":[{"column_name":"a"},{"column_name":["b"]}]}"#,
            "argument `normalizations[1].column_name`: invalid type: sequence, expected a string",
        ),
        (
            "sql/generate",
            r#"{"auto_increment":{"start_value":"1"}}"#,
            "argument `auto_increment.start_value`: invalid type: string \"1\", expected i64",
        ),
        (
            "json/generate",
            r#"{"column_mapping":{"a":1}}"#,
            "argument `column_mapping.a`: invalid type: integer `1`, expected a string",
        ),
        ("excel/search", "[]", "the arguments are not a JSON object: "),
        ("excel/search", "{\"a\"", "the arguments are not a JSON object: "),
    ];
    for (name, arguments, text) in cases {
        let error = wrong(name, arguments);
        assert!(error.starts_with(text), "{name}: {error}");
    }
}

#[test]
fn null_is_the_default() {
    let arguments = r#"{"columns":null,"remove_duplicates":null,"include_statistics":null}"#;
    Operation::parse("excel/extract-columns", arguments).unwrap();
    for arguments in ["", "null", "{}"] {
        Operation::parse("json/generate", arguments).unwrap();
    }
}

/// Runs an operation with `arguments` on a table, and returns its warnings.
fn warnings(name: &str, arguments: &str) -> Vec<String> {
    let desk = Desk::new().bind("b.csv", "k,w\n1,2\n");
    let input = desk.file("in.csv", "k,v\n1,x\n");
    desk.run(&input, name, arguments).warnings
}

#[test]
fn an_argument_that_nobody_knows_is_told() {
    let needed = |name: &str| match name {
        "excel/bind-single-key" => r#""bind_file":"b","comparison_column":"k""#,
        "excel/bind-multi-key" => r#""bind_file":"b","comparison_columns":["k"]"#,
        "excel/search" | "csv/search" => {
            r#""conditions":[{"column":"k","operator":"is_not_empty"}]"#
        }
        "json/generate-with-template" => r#""template":{"a":"{k}"}"#,
        _ => r#""columnz":null"#,
    };
    for name in NAMES {
        let needed = needed(name);
        let arguments = format!(r#"{{{needed},"colour":{{"a":[1]}}}}"#);
        let told = warnings(name, &arguments);
        let about = "unknown argument `colour` is ignored".to_owned();
        assert!(told.contains(&about), "{name}: {told:?}");
        assert_eq!(told.len(), 1 + usize::from(needed.contains("columnz")), "{name}: {told:?}");
    }
    let told = |name, arguments| warnings(name, arguments).join("; ");
    let cases = [
        (
            "excel/search",
            r#"{"conditions":[{"column":"k","operator":"is_empty"},{"column":"k","operator":"is_empty","valu":1}]}"#,
            "conditions[1].valu",
        ),
        (
            "normalization/apply",
            r#"{"normalizations":[{"column":"k","type":"trim","kind":1}]}"#,
            "normalizations[0].kind",
        ),
        (
            "normalization/apply",
            r#"{"normalizations":[{"column":"k","type":"round_decimal","parameters":{"decimal":1}}]}"#,
            "normalizations[0].parameters.decimal",
        ),
        ("sql/generate", r#"{"auto_increment":{"enable":true}}"#, "auto_increment.enable"),
        (
            "excel/map-columns",
            r#"{"mapping":{"K":{"source":"k","defualt":1}}}"#,
            "mapping.K.defualt",
        ),
    ];
    for (name, arguments, path) in cases {
        let right = format!("unknown argument `{path}` is ignored");
        assert_eq!(told(name, arguments), right);
    }
    // However many there are.
    let many: Vec<_> = (0..500).map(|n| format!("\"x{n}\":1")).collect();
    assert_eq!(warnings("json/generate", &format!("{{{}}}", many.join(","))).len(), 21);
}

#[test]
fn every_operation_reads_the_sheet_that_is_named() {
    let text = |text: &str| format!("<row><c t=\"inlineStr\"><is><t>{text}</t></is></c></row>");
    let book = two_sheets(&(text("k") + &text("one")), &(text("k") + &text("two")), "Z\u{11b}");
    let needed = |name: &str| match name {
        "excel/extract-columns" | "excel/extract-columns-to-file" => r#""columns":["k"]"#,
        "excel/map-columns" => r#""mapping":{"k":"k"}"#,
        "excel/bind-single-key" => r#""bind_file":"b","comparison_column":"k""#,
        "excel/bind-multi-key" => r#""bind_file":"b","comparison_columns":["k"]"#,
        "excel/search" | "csv/search" => {
            r#""output_format":"json","conditions":[{"column":"k","operator":"is_not_empty"}]"#
        }
        "json/generate-with-template" => r#""template":{"a":"{k}"}"#,
        "sql/generate-custom-to-text" => r#""template":"{k}""#,
        _ => r#""columns":[]"#,
    };
    for name in NAMES.into_iter().filter(|name| *name != "csv/convert-to-excel") {
        let desk = Desk::new().bind("b.csv", "k,w\n1,2\n");
        let input = desk.file("in.xlsx", &book);
        let run = |sheet: &str| {
            let arguments = format!("{{{},\"sheet_name\":\"{sheet}\"}}", needed(name));
            desk.try_run(&input, name, &arguments)
        };
        let shown = |sheet: &str| {
            let outcome = run(sheet).unwrap();
            let path = outcome.file.clone();
            match path.as_ref().and_then(|path| path.extension()?.to_str()) {
                None => outcome.data.to_string(),
                Some("xlsx") => desk.read(&path.unwrap()).join("\n"),
                Some(_) => std::fs::read_to_string(path.unwrap()).unwrap(),
            }
        };
        for (sheet, cell) in
            [("First", "one"), (" ", "one"), ("Z\u{11b}", "two"), ("Ze\u{30c}", "two")]
        {
            assert!(shown(sheet).contains(cell), "{name} of {sheet}");
        }
        let err = run("Nope").unwrap_err();
        assert!(err.to_string().ends_with("Worksheet named 'Nope' not found"), "{name}: {err}");
        assert_eq!(err.advice().unwrap(), "the sheets of the workbook are: First, Z\u{11b}");
    }
    assert_eq!(
        warnings("json/generate", r#"{"sheet_name":"x"}"#),
        ["the file is a text without sheets, `sheet_name` has no effect"]
    );
}

#[test]
fn a_column_is_found_however_its_marks_are_written() {
    let desk = Desk::new();
    let (whole, pieces) = ("M\u{11b}sto", "Me\u{30c}sto");
    let input = desk.file("in.csv", format!("id,{pieces}\n1,Brno\n"));
    let args = format!(
        r#"{{"conditions":[{{"column":"{whole}","operator":"equals","value":"Brno"}}],"output_format":"csv"}}"#
    );
    assert_eq!(desk.run(&input, "csv/search", &args).rows, 1);
    let args = format!(
        r#"{{"columns":["{whole}"],"column_mapping":{{"{pieces}":"m"}},"pretty_print":false}}"#
    );
    let made = desk.run(&input, "json/generate", &args).file.unwrap();
    assert_eq!(std::fs::read_to_string(made).unwrap(), r#"[{"m": "Brno"}]"#);
    let args = format!(r#"{{"normalizations":[{{"column":"{whole}","type":"uppercase"}}]}}"#);
    let made = desk.run(&input, "normalization/apply", &args).file.unwrap();
    assert_eq!(desk.read(&made), [format!("id|{pieces}"), "1|BRNO".to_owned()]);
    let args =
        format!(r#"{{"template":"'{{{whole}}}'","column_mapping":{{"{pieces}":"{whole}"}}}}"#);
    let made = desk.run(&input, "sql/generate-custom-to-text", &args).file.unwrap();
    assert!(std::fs::read_to_string(made).unwrap().ends_with("'Brno'\n"));
}
