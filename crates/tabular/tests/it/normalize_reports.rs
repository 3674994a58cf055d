//! Reports of normalisations: the changes, the errors, and the values that could not be converted.
use serde_json::{Value, json};

use crate::desk::{Desk, sheet};

fn report(content: &str, items: &str) -> Value {
    let args = format!(r#"{{"normalizations":{items}}}"#);
    Desk::new().data(content, "normalization/apply", &args)
}

#[test]
fn a_report_says_what_was_done() {
    let items = r#"[{"column_name":"a","normalization_type":"round_decimal"},
        {"column_name":"b","normalization_type":"uppercase","parameters":{}},
        {"column_name":"a","normalization_type":"uppercase"}]"#;
    let report = report("a,b\n1.10,p\nx,q\n,r\n", items);
    let stamp = report["started_at"].as_str().unwrap();
    assert!(stamp.starts_with("2026-11-20T22:06:37."), "{stamp}");
    let text = json!({"total_values": 3, "null_count": 0, "unique_count": 3, "data_type": "str"});
    let number =
        json!({"total_values": 3, "null_count": 2, "unique_count": 1, "data_type": "float64"});
    let done = |column: &str, kind: &str, before: &Value, after: &Value, failed: u32| {
        json!({
            "column_name": column, "normalization_type": kind, "parameters": {},
            "before_stats": before, "after_stats": after, "failed_values": failed,
            "success": true,
        })
    };
    let mut failed = done("a", "round_decimal", &text, &number, 1);
    failed["failed_rows"] = json!([{"row": 3, "value": "x"}]);
    let again = json!({"total_values": 3, "null_count": 2, "unique_count": 1, "data_type": "str"});
    let expected = json!({
        "started_at": stamp,
        "completed_at": report["completed_at"],
        "success": true,
        "total_rows": 3,
        "requested_normalizations": [
            {"column": "a", "type": "round_decimal", "parameters": {}},
            {"column": "b", "type": "uppercase", "parameters": {}},
            {"column": "a", "type": "uppercase", "parameters": {}},
        ],
        "columns_processed": [
            failed,
            done("b", "uppercase", &text, &text, 0),
            done("a", "uppercase", &number, &again, 0),
        ],
        "errors": [],
        "warnings": [],
    });
    assert_eq!(report, expected);
}

#[test]
fn what_cannot_be_done_is_reported_and_the_rest_is_done() {
    let items = r#"[{"type":"uppercase"},
        {"column_name":"a","normalization_type":"bad"},
        {"column_name":"a","normalization_type":"round_decimal","parameters":{"decimals":"2"}},
        {"column_name":"b","normalization_type":"integer_convert"},
        {"column_name":"c","normalization_type":"integer_convert"},
        {"column_name":"a","normalization_type":"boolean_convert"},
        {"column_name":"a","normalization_type":"z_score"},
        {"column_name":"a","normalization_type":"regex_replace","parameters":{"pattern":"("}},
        {"column_name":"a","normalization_type":"date_format","parameters":{"format":"%!"}}]"#;
    let report = report("a,b,c\nyes,inf,1e30\n", items);
    let messages = |name: &str| -> Vec<String> {
        let list = report[name].as_array().unwrap().iter();
        list.map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(report["success"], false);
    assert_eq!(messages("warnings"), ["Column '' not found"]);
    let errors = messages("errors");
    let beginnings = [
        "Error normalizing 'a': Invalid normalization type: 'bad'. Valid types are: ['uppercase', ",
        "Error normalizing 'a': parameter `decimals`: invalid type: string \"2\", expected i32",
        "Error normalizing 'a': regex parse error",
        "Error normalizing 'a': parameter `format`: ",
        "Error normalizing 'a': the column holds booleans, not numbers",
        "Error normalizing 'b': Cannot convert non-finite values (NA or inf) to integer",
        "Error normalizing 'c': a number is beyond 64 bits",
    ];
    assert_eq!(errors.len(), beginnings.len(), "{errors:#?}");
    for (error, beginning) in errors.iter().zip(beginnings) {
        assert!(error.starts_with(beginning), "{error}");
    }
    let processed = report["columns_processed"].as_array().unwrap();
    assert_eq!(processed.len(), 1);
    assert_eq!(processed[0]["after_stats"]["data_type"], "bool");
}

#[test]
fn what_is_no_number_is_counted_and_told_by_its_row() {
    let desk = Desk::new();
    let cells: String =
        (0..30).map(|n| if n % 10 == 7 { "7\n".to_owned() } else { format!("x{n}\n") }).collect();
    let input = desk.file("in.csv", format!("n,m\n{cells}\"\",\n"));
    for kind in [
        "integer_convert",
        "round_decimal",
        "currency_format",
        "z_score",
        "min_max_scale",
        "date_format",
        "date_extract_year",
        "outlier_removal",
    ] {
        // Digits are a number to this one, whatever stands around them; four digits are a year.
        let input = match kind {
            "currency_format" => desk.file("in.csv", format!("n,m\n{}", cells.replace('x', "--"))),
            "date_format" | "date_extract_year" => {
                desk.file("in.csv", format!("n,m\n{}", cells.replace("7\n", "2007\n")))
            }
            _ => input.clone(),
        };
        let args = format!(r#"{{"normalizations":[{{"column":"n","type":"{kind}"}}]}}"#);
        let outcome = desk.run(&input, "normalization/apply", &args);
        let done = &outcome.data["columns_processed"][0];
        let rows: Vec<_> = (0..30).filter(|n| n % 10 != 7).map(|n| n + 2).collect();
        if !kind.starts_with("date") {
            assert_eq!(done["failed_values"], 27, "{kind}");
            let failed = done["failed_rows"].as_array().unwrap();
            let told: Vec<_> = failed.iter().map(|entry| entry["row"].as_u64().unwrap()).collect();
            assert_eq!(told, rows[..20], "{kind}");
        }
        assert_eq!(outcome.data["success"], true, "{kind}");
        let told = format!("{kind} could not convert ");
        assert!(outcome.warnings[0].starts_with(&told), "{kind}: {:?}", outcome.warnings);
    }
    let outcome = desk.run(
        &desk.file("in.csv", "n,m\n1,\nx,\n,q\n"),
        "normalization/apply",
        r#"{"normalizations":[{"column":"n","type":"integer_convert"}],"return_report":false}"#,
    );
    let told = "integer_convert could not convert 1 values of 'n': those in the rows 3, where the \
                header is row 1";
    assert_eq!(outcome.warnings, [told]);
    assert_eq!(sheet(&outcome.file.unwrap()), ["n|m", "#1|_", "#0|_", "#0|q"]);
}

#[test]
fn an_item_that_failed_makes_the_work_incomplete() {
    let desk = Desk::new();
    let input = desk.file("in.csv", "a\nx\n");
    for (kind, complete) in [("bad", false), ("uppercase", true)] {
        let args = format!(
            r#"{{"normalizations":[{{"column":"a","type":"{kind}"}}],"return_report":false}}"#
        );
        assert_eq!(desk.run(&input, "normalization/apply", &args).complete, complete);
    }
}
