//! Errors name the file or the field of a request that is wrong.
use e2e::{
    Gateway,
    direct::{Part, refused, text},
};

const PEOPLE: Part<'_> = ("file", Some("a b.csv"), "id,name\n1,Ann\n2,\n1,Ann\n");

/// A path and the parts sent to it, and the status and a part of the message of the response.
type Case<'a> = (&'a str, &'a [Part<'a>], u16, &'a str);

async fn all_refused(gateway: &Gateway, cases: &[Case<'_>]) {
    for (path, parts, status, expected) in cases {
        let (found, message) = refused(gateway, path, parts).await;
        assert_eq!(found, *status, "{path}: {message}");
        assert!(message.contains(expected), "{path}: {message}, not {expected}");
        assert!(!message.contains("scratch"), "{path}: {message}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named() {
    let gateway = Gateway::start(&[("files.max_upload_size", "2000")]).await;
    let columns = text("columns", r#"["zz"]"#);
    let source = ("source_file", Some("s.csv"), "id\n1\n");
    let conditions = r#"[{"column":"zz","operator":"equals","value":1}]"#;
    let conditions = text("conditions", conditions);
    let archive = ("file", Some("a.xlsx"), "PK\u{3}\u{4} broken");
    let none: &[Part<'_>] = &[text("file", "no file"), columns];
    let large = "1\n".repeat(2000);
    let cases: &[Case<'_>] = &[
        ("/excel/info", none, 422, "No file uploaded (send it as the part `file`)"),
        ("/excel/info", &[("file", Some(""), "a")], 422, "No file uploaded"),
        ("/excel/bind-single-key", &[source], 422, "`bind_file`"),
        ("/files/bind", &[source], 422, "`target_file`"),
        ("/excel/info", &[archive], 400, "Failed to get file info: Failed to read Excel file: "),
        ("/csv/info", &[("file", Some("a.csv"), "")], 400, "Failed to read CSV file: "),
        ("/excel/search", &[("file", Some("a.csv"), "%PDF-1"), conditions], 400, "is a PDF"),
        ("/excel/info", &[("file", Some("a.csv"), &large)], 413, "at most 2000 bytes"),
        (
            "/csv/convert-to-excel",
            &[PEOPLE, text("sheet_name", "a/b")],
            400,
            "Invalid character / found in sheet title",
        ),
        ("/files/bind/preview", &[source, ("target_file", Some("t.csv"), "%PDF-")], 400, "PDF"),
    ];
    all_refused(&gateway, cases).await;

    for name in ["nothing.xlsx", "..%2F..%2Fetc%2Fpasswd", "%2e%2e"] {
        let path = format!("/api/v1/files/downloads/{name}");
        assert_eq!(gateway.get(&path).await.status, 404, "{path}");
    }
    assert_eq!(gateway.get("/api/v1/excel/info").await.status, 405);
}

#[tokio::test]
async fn a_field_about_a_table_is_named() {
    let gateway = Gateway::start(&[]).await;
    let mapping = text("column_mapping", r#"{"a":"zz"}"#);
    let columns = text("columns", r#"["zz"]"#);
    let source = ("source_file", Some("s.csv"), "id\n1\n");
    let bind = ("bind_file", Some("b.csv"), "id,m\n1,2\n");
    let conditions = r#"[{"column":"zz","operator":"equals","value":1}]"#;
    let conditions = text("conditions", conditions);
    let cases: &[Case<'_>] = &[
        ("/excel/extract-columns", &[PEOPLE], 422, "No columns specified for extraction"),
        (
            "/excel/extract-columns-to-file",
            &[PEOPLE, columns],
            422,
            "Columns not found in data: zz (the columns of the file are: id, name)",
        ),
        (
            "/excel/extract-columns-to-file",
            &[PEOPLE, text("columns", "id")],
            422,
            "columns must be a valid JSON array: ",
        ),
        ("/excel/map-columns", &[PEOPLE], 422, "No column mapping provided"),
        ("/excel/map-columns", &[PEOPLE, text("mapping", "[1]")], 422, "Invalid mapping JSON: "),
        ("/excel/map-columns", &[PEOPLE, text("mapping", r#"{"a":[]}"#)], 422, "`mapping.a`"),
        ("/excel/bind-single-key", &[source, bind], 422, "comparison_column parameter is required"),
        (
            "/excel/bind-single-key",
            &[source, bind, text("comparison_column", "id"), text("bind_columns", "m")],
            422,
            "bind_columns must be a valid JSON array",
        ),
        (
            "/excel/bind-single-key",
            &[source, bind, text("comparison_column", "zz"), text("bind_columns", r#"["m"]"#)],
            422,
            "Comparison column 'zz' not found in source file",
        ),
        (
            "/excel/bind-multi-key",
            &[source, bind],
            422,
            "At least one comparison column must be specified",
        ),
        ("/excel/search", &[PEOPLE], 422, "At least one search condition is required"),
        ("/excel/search", &[PEOPLE, conditions], 422, "Column 'zz' not found in data"),
        (
            "/csv/search",
            &[PEOPLE, conditions, text("logic", "XOR")],
            422,
            "Logic must be either 'AND' or 'OR'",
        ),
        (
            "/csv/search",
            &[PEOPLE, conditions, text("output_format", "pdf")],
            422,
            "Output format must be xlsx, csv, or json",
        ),
        ("/normalization/apply", &[PEOPLE], 422, "No normalization configurations provided"),
        (
            "/files/bind",
            &[source, ("target_file", Some("t.csv"), "a\n1\n")],
            422,
            "column_mapping is required",
        ),
        (
            "/files/bind",
            &[source, ("target_file", Some("t.csv"), "a\n1\n"), mapping],
            422,
            "Data binding failed: Column mapping validation failed: Source column 'zz' not found",
        ),
    ];
    all_refused(&gateway, cases).await;
}

#[tokio::test]
async fn a_field_about_a_text_is_named() {
    let gateway = Gateway::start(&[]).await;
    let table = text("table_name", "t");
    let mapping = text("column_mapping", r#"{"a":"zz"}"#);
    let columns = text("columns", r#"["zz"]"#);
    let cases: &[Case<'_>] = &[
        ("/sql/generate", &[PEOPLE, mapping], 422, "table_name is required"),
        ("/sql/generate", &[PEOPLE, table], 422, "column_mapping is required"),
        ("/sql/generate", &[PEOPLE, table, mapping], 422, "Column 'zz' not found in data"),
        ("/sql/generate", &[PEOPLE, table, mapping, text("batch_size", "x")], 422, "batch_size"),
        (
            "/sql/generate",
            &[PEOPLE, table, mapping, text("database_type", "oracle")],
            422,
            "Invalid database type: 'oracle'",
        ),
        ("/sql/generate-to-text", &[PEOPLE, table, mapping, columns], 422, "Columns not found: zz"),
        ("/sql/generate-custom-to-text", &[PEOPLE, mapping], 422, "template is required"),
        ("/json/generate", &[PEOPLE, text("null_handling", "x")], 422, "Invalid null_handling: x."),
        ("/json/generate", &[PEOPLE, columns], 422, "Columns not found: zz"),
        ("/json/generate-with-template", &[PEOPLE], 422, "template is required"),
        (
            "/json/generate-with-template",
            &[PEOPLE, text("template", "{"), mapping],
            422,
            "Invalid template JSON: ",
        ),
        (
            "/json/generate-with-template",
            &[PEOPLE, text("template", "{}"), text("column_mapping", "{}")],
            422,
            "column_mapping cannot be empty",
        ),
        (
            "/json/generate-with-template",
            &[PEOPLE, text("template", r#"{"a":1}"#), mapping],
            422,
            "Columns not found in data: zz",
        ),
    ];
    all_refused(&gateway, cases).await;
}
