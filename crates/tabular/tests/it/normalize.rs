//! Cells in a usual form.
use quadrille_tabular::Operation;
use serde_json::{Value, json};

use crate::desk::{Desk, sheet};

/// Applies one type to the cells of a column, and returns them as [`sheet`] shows them.
fn column(cells: &[&str], kind: &str, parameters: &str) -> Vec<String> {
    let items = format!(
        r#"[{{"column_name":"v","normalization_type":"{kind}","parameters":{parameters}}}]"#
    );
    chain(cells, &items)
}

fn chain(cells: &[&str], items: &str) -> Vec<String> {
    let desk = Desk::new();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["v", "end"]).unwrap();
    for cell in cells {
        writer.write_record([cell, "."]).unwrap();
    }
    let input = desk.file("in.csv", writer.into_inner().unwrap());
    let args = format!(r#"{{"normalizations":{items}}}"#);
    let outcome = desk.run(&input, "normalization/apply", &args);
    assert_eq!(outcome.data["errors"], json!([]));
    let rows = sheet(&outcome.file.unwrap());
    rows[1..].iter().map(|row| row.split('|').next().unwrap().to_owned()).collect()
}

#[test]
fn texts_change_their_letters_and_spaces() {
    let cases: [(&str, &str, &[&str], &[&str]); 10] = [
        ("UPPERCASE", "{}", &["straße", "ﬁ", ""], &["STRASSE", "FI", "_"]),
        ("lowercase", "{}", &["İ", "ABC"], &["i̇", "abc"]),
        (
            "title_case",
            "{}",
            &["o'neil mcDONALD-smith", "123abc"],
            &["O'Neil Mcdonald-Smith", "123Abc"],
        ),
        ("trim_whitespace", "{}", &["\u{a0} a  b\u{3000}", "\u{200b}x"], &["a  b", "\u{200b}x"]),
        ("collapse_whitespace", "{}", &["\u{a0} a  b\u{3000}"], &["a b"]),
        ("remove_special_chars", "{}", &["a-b_c d!é1", "日本!"], &["abc d1", "_"]),
        (
            "remove_special_chars",
            r##"{"pattern":"[0-9]","replacement":"#"}"##,
            &["a1b22"],
            &["a#b##"],
        ),
        ("email_format", "{}", &[" Ann@X.ORG "], &["ann@x.org"]),
        ("name_format", "{}", &[" ann o'NEIL "], &["Ann O'Neil"]),
        ("address_format", "{}", &["12 main st,\napt 4B"], &["12 Main St, Apt 4B"]),
    ];
    for (kind, parameters, cells, expected) in cases {
        assert_eq!(column(cells, kind, parameters), expected, "{kind}");
    }
    let phones = ["555-123-4567", "1 555 123 4567", "+49 30 1234", ""];
    let expected = ["(555) 123-4567", "+1 (555) 123-4567", "+49 30 1234", "_"];
    assert_eq!(column(&phones, "phone_format", "{}"), expected);
}

#[test]
fn numbers_are_rounded_and_whole_ones_stay_whole() {
    let round = |cells: &[&str], decimals: &str| {
        column(cells, "round_decimal", &format!(r#"{{"decimals":{decimals}}}"#))
    };
    assert_eq!(round(&["2.5", "0.5", "x", ""], "0"), ["#2", "#0", "_", "_"]);
    assert_eq!(round(&["1.005", "2.675", "1.235"], "2"), ["#1", "#2.68", "#1.24"]);
    assert_eq!(round(&["1234", "1250"], "-2"), ["#1200", "#1200"]);
    assert_eq!(round(&["9007199254740993", "1"], "null"), ["9007199254740993", "#1"]);
    assert_eq!(column(&["1.10", "x", ""], "round_decimal", "null"), ["#1.1", "_", "_"]);
}

#[test]
fn numbers_are_scaled_by_their_column() {
    let scale = |cells: &[&str]| column(cells, "min_max_scale", "{}");
    assert_eq!(scale(&["2", "4", "x", "6"]), ["#0", "#0.5", "_", "#1"]);
    assert_eq!(scale(&["3", "3"]), ["#3", "#3"]);
    assert_eq!(scale(&["x", "y"]), ["_", "_"]);
    let score = |cells: &[&str]| column(cells, "z_score", "{}");
    assert_eq!(
        score(&["1", "2", "", "x"]),
        ["#-0.7071067811865475", "#0.7071067811865475", "_", "_"]
    );
    assert_eq!(score(&["0.1", "0.1", "0.1"]), ["#0", "#0", "#0"]);
    assert_eq!(score(&["7", ""]), ["_", "_"]);
}

#[test]
fn whole_numbers_are_cut_and_all_else_is_zero() {
    let cells = ["-1.9", "1e3", "7", "", "abc"];
    let expected = ["#-1", "#1000", "#7", "#0", "#0"];
    assert_eq!(column(&cells, "integer_convert", "{}"), expected);
}

#[test]
fn amounts_are_numbers() {
    let cells = ["$1,234.50", "€1.234,50", "(100)", "-$5", "1-2", "5-", "1.2.3", ""];
    let expected = ["#1234.5", "#1.2345", "#100", "#-5", "_", "_", "_", "_"];
    assert_eq!(column(&cells, "currency_format", "{}"), expected);
    let european = r#"{"decimal_separator":",","parentheses":true}"#;
    let expected = ["#1.2345", "#1234.5", "#-100", "#-5", "_", "_", "#123", "_"];
    assert_eq!(column(&cells, "currency_format", european), expected);
}

#[test]
fn dates_have_one_form() {
    let cells = ["2024-01-15", "Jan 5, 2024", "bad", "", "15/01/2024", "01/02/2024"];
    let expected = ["2024-01-15", "2024-01-05", "_", "_", "2024-01-15", "2024-02-01"];
    assert_eq!(column(&cells, "date_format", "{}"), expected);
    let cells = ["2024-01-15", "2024-01-15 10:00:00.5"];
    let format =
        |format: &str| column(&cells, "date_format", &format!(r#"{{"format":"{format}"}}"#));
    assert_eq!(format("%B %-d, %y %a %j %U")[0], "January 15, 24 Mon 015 02");
    assert_eq!(format("%H:%M:%S.%f")[1], "10:00:00.500000");
    assert_eq!(format("day")[0], "day");
    assert_eq!(format("%c %x %X")[0], "Mon Jan 15 00:00:00 2024 01/15/24 00:00:00");
    assert_eq!(format("%%z %z%Z%%Z")[0], "%z %Z");
    let zones = ["2024-01-15T10:00:00+02:00", "2024-01-15 10:00"];
    let with_zone = r#"{"format":"%H:%M%z"}"#;
    assert_eq!(column(&zones, "datetime_format", with_zone), ["10:00+0200", "10:00"]);
    assert_eq!(
        column(&zones, "datetime_format", "{}"),
        ["2024-01-15 10:00:00", "2024-01-15 10:00:00"]
    );
    for (kind, expected) in
        [("date_extract_year", "#2024"), ("date_extract_month", "#1"), ("date_extract_day", "#15")]
    {
        assert_eq!(column(&["2024-01-15", "x"], kind, "{}"), [expected, "_"]);
    }
}

#[test]
fn words_become_booleans_and_other_words() {
    let cells = ["YES", "on", "1", "1.0", " yes", "", "no"];
    let expected = ["?true", "?true", "?true", "?false", "?false", "?false", "?false"];
    assert_eq!(column(&cells, "boolean_convert", "{}"), expected);
    let expected = ["Yes", "No", "Yes", "No", "No", "No", "No"];
    assert_eq!(column(&cells, "yes_no_convert", "{}"), expected);
    let only = r#"{"true_values":["no"]}"#;
    assert_eq!(column(&["no", "yes"], "boolean_convert", only), ["?true", "?false"]);
    let mapping = r#"{"mapping":{"a":"Alpha","b":2}}"#;
    assert_eq!(
        column(&["a", "b", "c", ""], "categorical_mapping", mapping),
        ["Alpha", "#2", "c", "_"]
    );
    let mapping = r#"{"mapping":{"a":"Alpha"},"default":"other"}"#;
    assert_eq!(
        column(&["a", "c", ""], "categorical_mapping", mapping),
        ["Alpha", "other", "other"]
    );
    let regex = r#"{"pattern":"(\\w)(\\w)","replacement":"\\2\\1$1"}"#;
    assert_eq!(column(&["abc"], "regex_replace", regex), ["ba$1c"]);
}

#[test]
fn empty_cells_are_filled() {
    let fill = |cells: &[&str], parameters: &str| column(cells, "fill_null_values", parameters);
    assert_eq!(fill(&["a", ""], r#"{"value":"x"}"#), ["a", "x"]);
    assert_eq!(fill(&["a", ""], r#"{"value":0}"#), ["a", "#0"]);
    assert_eq!(fill(&["1", "", "4"], r#"{"method":"mean"}"#), ["#1", "#2.5", "#4"]);
    assert_eq!(fill(&["1", "", "4", "100"], r#"{"method":"median"}"#), ["#1", "#4", "#4", "#100"]);
    assert_eq!(fill(&["b", "a", "", "b", "a"], r#"{"method":"mode"}"#)[2], "a");
    assert_eq!(fill(&["", ""], r#"{"method":"mode","value":"v"}"#), ["v", "v"]);
    assert_eq!(fill(&["", "x"], r#"{"method":"mean","value":"v"}"#), ["v", "x"]);
    assert_eq!(fill(&["5", "x", ""], r#"{"method":"mean"}"#), ["5", "x", "#5"]);
}

#[test]
fn numbers_far_from_the_others_are_removed() {
    let cells = ["1", "2", "3", "4", "100", "x"];
    let expected = ["#1", "#2", "#3", "#4", "_", "_"];
    assert_eq!(column(&cells, "outlier_removal", "{}"), expected);
    let wide = r#"{"multiplier":100}"#;
    assert_eq!(column(&cells, "outlier_removal", wide)[4], "#100");
}

#[test]
fn types_follow_each_other_on_the_changed_column() {
    let item = |kind: &str| format!(r#"{{"column_name":"v","normalization_type":"{kind}"}}"#);
    let two = |a: &str, b: &str| format!("[{},{}]", item(a), item(b));
    let cells = ["5", "7", "9"];
    assert_eq!(chain(&cells, &two("integer_convert", "z_score")), ["#-1", "#0", "#1"]);
    assert_eq!(chain(&cells, &two("round_decimal", "uppercase")), ["5", "7", "9"]);
    assert_eq!(chain(&["5", ""], &two("round_decimal", "uppercase")), ["5.0", "_"]);
    assert_eq!(chain(&["yes", ""], &two("boolean_convert", "uppercase")), ["TRUE", "FALSE"]);
    assert_eq!(chain(&[" 1 ", "3"], &two("min_max_scale", "outlier_removal")), ["#0", "#1"]);
}

#[test]
fn columns_are_kept_as_they_were_where_that_is_asked_for() {
    let mut desk = Desk::new();
    let text = "a,b\nx,y\n";
    let rows = |desk: &Desk, backup: &str| {
        let args = format!(
            r#"{{"normalizations":[
                {{"column_name":"b","normalization_type":"uppercase"{backup}}},
                {{"column_name":"b","normalization_type":"bad"{backup}}}],"return_report":false}}"#
        );
        let input = desk.file("in.csv", text);
        let outcome = desk.run(&input, "normalization/apply", &args);
        assert_eq!(outcome.data, Value::Null);
        assert_eq!(outcome.warnings.len(), 1);
        sheet(&outcome.file.unwrap())
    };
    assert_eq!(rows(&desk, ""), ["a|b", "x|Y"]);
    assert_eq!(rows(&desk, r#","backup_original":true"#), ["a|b|b_original", "x|Y|y"]);
    desk.backup = true;
    assert_eq!(rows(&desk, ""), ["a|b|b_original", "x|Y|y"]);
    assert_eq!(rows(&desk, r#","backup_original":false"#), ["a|b", "x|Y"]);
}

#[test]
fn every_type_is_known() {
    for (name, _) in quadrille_tabular::TYPES {
        let parameters = if name == "categorical_mapping" { r#"{"mapping":{}}"# } else { "{}" };
        column(&["1"], name, parameters);
    }
}

#[test]
fn values_are_counted_as_far_as_they_can_be_remembered() {
    let mut desk = Desk::new();
    desk.limits.max_distinct = 4;
    let args = r#"{"normalizations":[{"column_name":"v","normalization_type":"uppercase"}]}"#;
    let count = |content: &str| {
        let report = desk.data(content, "normalization/apply", args);
        report["columns_processed"][0]["after_stats"]["unique_count"].clone()
    };
    assert_eq!(count("v\na\nb\na\n"), 2);
    assert_eq!(count("v\na\nb\nc\n"), Value::Null);
}

#[test]
fn normalisation_is_bounded() {
    let mut desk = Desk::new();
    desk.limits.max_held = 16;
    let args = r#"{"normalizations":[{"column_name":"v","normalization_type":"outlier_removal"}]}"#;
    let text = "the numbers of the column take more than 16 bytes; split the file";
    assert_eq!(desk.error("v\n1\n2\n3\n", "normalization/apply", args), text);
    let args = r#"{"normalizations":[{"column_name":"v","normalization_type":"fill_null_values",
        "parameters":{"method":"mode"}}]}"#;
    let text = "the values of the column take more than 16 bytes; split the file";
    let content = format!("v\n{}\n", "x".repeat(17));
    assert_eq!(desk.error(content, "normalization/apply", args), text);
    let items = vec!["{}"; 501].join(",");
    let args = format!(r#"{{"normalizations":[{items}]}}"#);
    let error = Operation::parse("normalization/apply", &args).unwrap_err();
    let text = "argument `normalizations`: 501 are too many, the limit is 500; use several steps";
    assert_eq!(error.to_string(), text);
}

#[test]
fn both_spellings_of_an_item_are_taken() {
    let desk = Desk::new();
    for item in [
        r#"{"column":"a","type":"uppercase"}"#,
        r#"{"column_name":"a","normalization_type":"uppercase"}"#,
        r#"{"column_name":"a","type":"UPPERCASE"}"#,
        r#"{"column":"b","column_name":"a","type":"trim","normalization_type":"uppercase"}"#,
    ] {
        let args = format!(r#"{{"normalizations":[{item}]}}"#);
        let input = desk.file("in.csv", "a,b\nx,y\n");
        let outcome = desk.run(&input, "normalization/apply", &args);
        assert_eq!(sheet(&outcome.file.unwrap()), ["a|b", "X|y"], "{item}");
        assert!(outcome.warnings.is_empty() && outcome.complete, "{item}");
    }
}

#[test]
fn words_are_compared_without_case() {
    let large = r#"{"true_values":["N","Ja","ÉTÉ"]}"#;
    let cells = ["N", "n", "ja", "JA", "été", "y"];
    let right = ["?true", "?true", "?true", "?true", "?true", "?false"];
    assert_eq!(column(&cells, "boolean_convert", large), right);
    let right = ["Yes", "Yes", "Yes", "Yes", "Yes", "No"];
    assert_eq!(column(&cells, "yes_no_convert", large), right);
}
