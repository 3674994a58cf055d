//! Columns under other names.
use quadrille_tabular::Operation;

use crate::desk::Desk;

#[test]
fn every_rule_makes_its_column_in_the_order_of_the_mapping() {
    let desk = Desk::new();
    let args = r#"{"mapping":{"Z":"name","B":"zz","C":{"source":"e","default":"D"},
        "D":{"default":7},"E":{"source":"zz","default":true},"F":{},"G":null,
        "H":{"source":"e"},"A":{"source":"zz","default":0.1}}}"#;
    let rows = ["Z|B|C|D|E|F|G|H|A", "Ann|_|D|#7|?true|_|_|_|#0.1", "bob|_|x|#7|?true|_|_|x|#0.1"];
    assert_eq!(desk.sheet("name,e\nAnn,\nbob,x\n", "excel/map-columns", args), rows);
    let input = desk.file("in.csv", "name,e\nAnn,\n");
    let outcome = desk.run(&input, "excel/map-columns", args);
    assert_eq!(outcome.warnings.len(), 3);
    assert_eq!(outcome.warnings[0], "there is no column 'zz' for 'B'");
}

#[test]
fn an_empty_mapping_leaves_no_columns_and_no_rows() {
    let desk = Desk::new();
    assert_eq!(desk.sheet("a\n1\n", "excel/map-columns", "{}"), Vec::<String>::new());
}

#[test]
fn a_wrong_rule_is_named() {
    let wrong = |args: &str| Operation::parse("excel/map-columns", args).unwrap_err().to_string();
    assert_eq!(
        wrong(r#"{"mapping":{"a":3}}"#),
        "argument `mapping.a`: must be the name of a column, or an object with `source` and \
         `default`"
    );
    assert_eq!(
        wrong(r#"{"mapping":{"a":{"source":"x","default":[1]}}}"#),
        "argument `mapping.a.default`: must be a text, a number, or a boolean"
    );
    assert_eq!(
        wrong(r#"{"mapping":["a"]}"#),
        "argument `mapping`: invalid type: sequence, expected a map"
    );
}
