//! Operations one after another.
use std::{fs, path::PathBuf};

use proptest::prelude::*;

use crate::desk::{Desk, name, sheet};

#[test]
fn a_chain_of_operations_ends_as_each_would() {
    let desk = Desk::new();
    let mut path: PathBuf = desk.file("n.csv", "id,name,amount\n1, ann ,$5\n2,bob,x\n1, ann ,$5\n");
    let steps = [
        (
            "excel/extract-columns-to-file",
            r#"{"columns":["name","amount"],"remove_duplicates":true}"#,
        ),
        (
            "normalization/apply",
            r#"{"normalizations":[
                {"column_name":"name","normalization_type":"name_format"},
                {"column_name":"amount","normalization_type":"currency_format"}]}"#,
        ),
        (
            "excel/search",
            r#"{"conditions":[{"column":"amount","operator":"greater_than","value":1}]}"#,
        ),
        ("json/generate", r#"{"pretty_print":false}"#),
    ];
    for (operation, arguments) in steps {
        let outcome = desk.run(&path, operation, arguments);
        path = outcome.file.clone().unwrap();
        assert!(name(&outcome).starts_with("n_extracted_20261120_220637"));
    }
    assert_eq!(fs::read_to_string(path).unwrap(), r#"[{"name": "Ann", "amount": "5"}]"#);
}

#[test]
fn names_do_not_grow_without_end() {
    let desk = Desk::new();
    let mut path = desk.file(&format!("{}.csv", "é".repeat(100)), "a\n1\n");
    for _ in 0..12 {
        let outcome = desk.run(&path, "csv/convert-to-excel", "{}");
        assert!(name(&outcome).len() < 220);
        path = outcome.file.unwrap();
    }
    assert_eq!(sheet(&path), ["a", "1"]);
}

/// Rows with keys that are all different.
fn keyed() -> impl Strategy<Value = Vec<[String; 2]>> {
    let cells = proptest::collection::vec("[a-zé0-9 ]{1,6}", 1..12);
    cells
        .prop_map(|cells| (1..).zip(cells).map(|(key, cell)| [format!("{key:03}"), cell]).collect())
}

fn write(rows: &[[String; 2]]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["key", "value"]).unwrap();
    for row in rows {
        writer.write_record(row).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_extracted_can_be_bound_again(rows in keyed(), seed in any::<u64>()) {
        let mut shuffled = rows.clone();
        let len = shuffled.len();
        shuffled.rotate_left(usize::try_from(seed % len as u64).unwrap());
        let desk = Desk::new().bind("bind.csv", write(&shuffled));
        let input = desk.file("in.csv", write(&rows));
        let keys = desk.run(&input, "excel/extract-columns-to-file", r#"{"columns":["key"]}"#);
        let args = r#"{"bind_file":"b","comparison_column":"key","bind_columns":["value"]}"#;
        let bound = desk.run(&keys.file.unwrap(), "excel/bind-single-key", args);
        prop_assert_eq!(&bound.data["matched_rows"], rows.len());
        let mut expected = vec!["key|value".to_owned()];
        expected.extend(rows.iter().map(|row| row.join("|")));
        prop_assert_eq!(sheet(&bound.file.unwrap()), expected);
    }

    #[test]
    fn what_is_mapped_can_be_mapped_back(rows in keyed()) {
        let desk = Desk::new();
        let input = desk.file("in.csv", write(&rows));
        let mapping = r#"{"mapping":{"V":"value","K":{"source":"key","default":"none"}}}"#;
        let mapped = desk.run(&input, "excel/map-columns", mapping).file.unwrap();
        let mapping = r#"{"mapping":{"key":"K","value":"V"}}"#;
        let back = desk.run(&mapped, "excel/map-columns", mapping).file.unwrap();
        let mut expected = vec!["key|value".to_owned()];
        expected.extend(rows.iter().map(|row| row.join("|")));
        prop_assert_eq!(sheet(&back), expected);
    }
}
