//! Arguments that an operation does not take, named.
use quadrille_tabular::{BadArguments, NAMES, Operation};

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
fn unknown_arguments_are_ignored_and_null_is_the_default() {
    let arguments = r#"{"columns":null,"remove_duplicates":null,"include_statistics":null,"x":1}"#;
    Operation::parse("excel/extract-columns", arguments).unwrap();
    for arguments in ["", "null", "{}"] {
        Operation::parse("json/generate", arguments).unwrap();
    }
}
