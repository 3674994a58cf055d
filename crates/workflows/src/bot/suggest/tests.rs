//! Runs suggestions on a small file.
use std::{fs, ops::ControlFlow, path::PathBuf, time::SystemTime};

use quadrille_tabular::{Limits, Operation, Task};
use serde_json::json;

use super::*;
use crate::bot::intent::classify;

const PEOPLE: &str = "Name,Age,City,First Name,Phone\n\
    Ann,41,Paris, a ,5551234567\n\
    Bob,7,Rome,b,\n\
    Hanna,30,Paris,c,x\n\
    Bob,7,Rome,b,\n";

fn file() -> FileSeen {
    let columns = ["Name", "Age", "City", "First Name", "Phone"].map(str::to_owned).into();
    FileSeen { name: "people.csv".to_owned(), columns }
}

fn of(kind: Kind, message: &str) -> Suggestion {
    suggest(kind, message, Some(&file()))
}

/// Runs a suggestion, and returns its result, as CSV if it is a table.
fn run(kind: Kind, message: &str) -> String {
    let suggestion = of(kind, message);
    assert_eq!(suggestion.missing, None, "{message}");
    let folder = tempfile::tempdir().unwrap();
    let mut input = folder.path().join("people.csv");
    fs::write(&input, PEOPLE).unwrap();
    let other = folder.path().join("prices.csv");
    fs::write(&other, "name,Name,Age,price\nAnn,Ann,41,3\nBob,Bob,7,4\n").unwrap();
    let mut step = |name: &str, arguments: &str| -> PathBuf {
        let operation = Operation::parse(name, arguments).unwrap();
        let task = Task {
            input: &input,
            name: "people.csv",
            sheet: None,
            output: None,
            folder: folder.path(),
            bind_file: operation.bind_file().map(|_| other.as_path()),
            now: SystemTime::now(),
            backup_original: false,
            limits: Limits::default(),
        };
        let outcome = operation.run(&task, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(outcome.warnings, Vec::<String>::new(), "{message}");
        if let Some(errors) = outcome.data.get("errors") {
            assert_eq!((errors, &outcome.data["warnings"]), (&json!([]), &json!([])), "{message}");
        }
        input = outcome.file.unwrap();
        input.clone()
    };
    let mut last = PathBuf::new();
    assert!(!suggestion.steps.is_empty(), "{message}");
    for Suggested { operation, arguments, description } in &suggestion.steps {
        assert!(!description.is_empty());
        last = step(operation, &arguments.to_string());
    }
    if last.extension().is_some_and(|extension| extension == "xlsx") {
        last = step("excel/convert-to-csv", "{}");
    }
    fs::read_to_string(last).unwrap()
}

fn lacks(kind: Kind, message: &str, what: &str) {
    let Suggestion { steps, missing } = of(kind, message);
    assert_eq!(steps, [], "{message}");
    let missing = missing.unwrap();
    assert!(missing.contains(what), "{message}: {missing}");
}

#[test]
fn columns_are_extracted_however_they_are_written() {
    for message in [
        "extract columns: NAME, age",
        "extract name, age",
        "extract the columns name and age from the file",
        "get name and age columns from my file",
        "select \"Name\" and Age.",
        "extract all columns except city, first name and phone",
    ] {
        assert_eq!(
            run(Kind::ExtractColumns, message),
            "Name,Age\nAnn,41\nBob,7\nHanna,30\nBob,7\n"
        );
    }
    assert_eq!(run(Kind::ExtractColumns, "extract unique first name"), "First Name\n a \nb\nc\n",);
    assert_eq!(run(Kind::ExtractColumns, "get all columns"), PEOPLE);
    lacks(Kind::ExtractColumns, "extract columns", "Say which columns");
    lacks(Kind::ExtractColumns, "extract columns: name, salary", "no column \"salary\"");
    lacks(Kind::ExtractColumns, "i want to get a json export", "no column");
}

#[test]
fn columns_may_be_called_as_words_that_name_nothing() {
    let file =
        FileSeen { name: "a.csv".to_owned(), columns: ["a", "data"].map(str::to_owned).into() };
    for (message, names) in
        [("extract columns: a", ["a"].as_slice()), ("get a, data", &["a", "data"])]
    {
        let found = suggest(Kind::ExtractColumns, message, Some(&file));
        assert_eq!(found.steps[0].arguments["columns"], json!(names), "{message}");
    }
}

#[test]
fn files_are_converted_to_the_format_that_is_said() {
    let (excel, sql) = ("convert this csv to excel", "convert to sql");
    assert_eq!(run(Kind::ConvertFormat, excel), PEOPLE);
    assert!(run(Kind::ConvertFormat, "convert to json").contains("\"City\": \"Paris\""));
    assert!(run(Kind::ConvertFormat, sql).contains("INSERT INTO data ("));
    lacks(Kind::ConvertFormat, "convert it to csv", "that format already");
    lacks(Kind::ConvertFormat, "convert it", "to which format");
    let workbook = FileSeen { name: "a.XLSX".to_owned(), ..file() };
    let suggestion = suggest(Kind::ConvertFormat, "export as csv", Some(&workbook));
    assert_eq!(suggestion.steps[0].operation, "excel/convert-to-csv");
}

#[test]
fn values_are_normalised_where_it_is_said() {
    let line = |message: &str, line: usize| {
        run(Kind::NormalizeData, message).lines().nth(line).unwrap().to_owned()
    };
    assert_eq!(line("uppercase name", 1), "ANN,41,Paris, a ,5551234567");
    assert_eq!(line("make city uppercase", 1), "Ann,41,PARIS, a ,5551234567");
    assert_eq!(
        line("trim and uppercase first name, lowercase city", 1),
        "Ann,41,paris,A,5551234567"
    );
    assert_eq!(line("trim the data", 1), "Ann,41,Paris,a,5551234567");
    assert_eq!(line("remove spaces", 1), "Ann,41,Paris,a,5551234567");
    assert_eq!(line("clean data", 1), "Ann,41,Paris,a,5551234567");
    assert_eq!(line("format the phone numbers", 1), "Ann,41,Paris, a ,(555) 123-4567");
    assert_eq!(run(Kind::NormalizeData, "remove duplicates").lines().count(), 4);
    assert_eq!(
        run(Kind::NormalizeData, "lowercase all values and remove duplicates").lines().last(),
        Some("hanna,30,paris,c,x"),
    );
    lacks(Kind::NormalizeData, "information about my file", "what to do with which column");
    lacks(Kind::NormalizeData, "uppercase salary", "what to do with which column");
}

#[test]
fn statements_have_the_table_the_database_and_the_columns_that_are_said() {
    let all = run(Kind::GenerateSql, "generate sql for table users");
    assert!(all.contains("'Ann', '41', 'Paris'"), "{all}");
    assert!(all.contains("INSERT INTO users (") && all.contains("-- Database: postgresql"));
    let some = run(Kind::GenerateSql, "generate mysql inserts into clients with columns name, age");
    assert!(some.contains("INSERT INTO clients (Name, Age) VALUES ('Ann', '41');"), "{some}");
    assert!(some.contains("-- Database: mysql"));
    let unnamed = run(Kind::GenerateSql, "insert it into the database");
    assert!(unnamed.contains("INSERT INTO data ("), "{unnamed}");
    lacks(Kind::GenerateSql, "generate sql with columns salary", "no column \"salary\"");
}

#[test]
fn objects_have_all_columns_or_those_that_are_said() {
    let all = run(Kind::GenerateJson, "generate json");
    let all: Value = serde_json::from_str(&all).unwrap();
    assert_eq!(
        all[1],
        json!({"Name": "Bob", "Age": "7", "City": "Rome", "First Name": "b", "Phone": ""})
    );
    let some = run(Kind::GenerateJson, "generate compact json with columns: age");
    assert_eq!(serde_json::from_str::<Value>(&some).unwrap()[0], json!({"Age": "41"}));
    assert!(!some.contains('\n'));
}

#[test]
fn conditions_are_read_from_simple_forms() {
    let names = |message: &str| {
        let found = run(Kind::SearchFilter, message);
        let names: Vec<_> =
            found.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
        names.join(" ")
    };
    for (message, found) in [
        ("find where age > 30", "Ann"),
        ("find where age >= 30", "Ann Hanna"),
        ("rows where age is greater than or equal to 30", "Ann Hanna"),
        ("filter age less than 10", "Bob Bob"),
        ("search where city equals Paris", "Ann Hanna"),
        ("where city is not Paris", "Bob Bob"),
        ("filter name contains ANN", "Ann Hanna"),
        ("find ann in name", "Ann Hanna"),
        ("where name does not contain ann", "Bob Bob"),
        ("where name starts with H", "Hanna"),
        ("where first name = b", "Bob Bob"),
        ("where phone is empty", "Bob Bob"),
        ("where phone is not empty", "Ann Hanna"),
        ("where age between 10 and 35", "Hanna"),
        ("where age between 10 and 50 and name is Ann", "Ann"),
        ("where city equals \"Paris\" and age > 35", "Ann"),
        ("show me only records where age < 10 or name equals Ann", "Ann Bob Bob"),
    ] {
        assert_eq!(names(message), found, "{message}");
    }
    lacks(Kind::SearchFilter, "search for ann", "no condition");
    lacks(Kind::SearchFilter, "where salary > 3", "no condition");
    lacks(Kind::SearchFilter, "where age > old", "a number instead of \"old\"");
    lacks(Kind::SearchFilter, "where age is over", "what comes after");
    lacks(Kind::SearchFilter, "where age > 3 and name is Ann or city is Rome", "only");
}

#[test]
fn dates_are_compared_as_dates_and_quotes_hold_together() {
    let conditions = |message: &str| {
        let suggestion = of(Kind::SearchFilter, message);
        suggestion.steps[0].arguments["conditions"].clone()
    };
    assert_eq!(
        conditions("where city > 2024-01-15"),
        json!([{"column": "City", "operator": "after", "value": "2024-01-15"}]),
    );
    assert_eq!(
        conditions("where city is \"this and that\""),
        json!([{"column": "City", "operator": "equals", "value": "this and that"}]),
    );
}

#[test]
fn a_workbook_is_searched_as_a_workbook() {
    let workbook = FileSeen { name: "people.xlsx".to_owned(), ..file() };
    let found = suggest(Kind::SearchFilter, "where age > 3", Some(&workbook));
    assert_eq!(found.steps[0].operation, "excel/search");
    let arguments = found.steps[0].arguments.to_string();
    Operation::parse("excel/search", &arguments).unwrap();
}

#[test]
fn columns_of_another_file_are_bound_by_one_key_or_more() {
    let one = run(Kind::BindData, "merge with prices.csv on name adding price");
    assert!(one.starts_with("Name,Age,City,First Name,Phone,price\n"), "{one}");
    assert!(one.contains("Hanna,30,Paris,c,x,\n") && one.contains("5551234567,3\n"), "{one}");
    let two = run(Kind::BindData, "join \"prices.csv\" by name and age and add price");
    assert!(two.contains("5551234567,3\n"), "{two}");
    for message in ["merge data", "merge with prices.csv", "merge with prices.csv on name"] {
        lacks(Kind::BindData, message, "Say the other file");
    }
    lacks(Kind::BindData, "merge with prices.csv on salary adding price", "no column \"salary\"");
    lacks(Kind::BindData, "merge with prices.csv on name adding City", "City already");
}

#[test]
fn columns_are_renamed_and_stay_where_they_are() {
    let header = |message: &str| run(Kind::MapColumns, message).lines().next().unwrap().to_owned();
    assert_eq!(header("rename column name to Title"), "Title,Age,City,First Name,Phone");
    assert_eq!(
        header("rename age to Years, city -> Town and first name as Given"),
        "Name,Years,Town,Given,Phone",
    );
    assert!(run(Kind::MapColumns, "rename age to Years").contains("Ann,41,Paris, a ,5551234567"));
    lacks(Kind::MapColumns, "rename columns", "the old and the new name");
    lacks(Kind::MapColumns, "rename salary to pay", "no column to rename");
    lacks(Kind::MapColumns, "rename name to City", "Two columns would be called City");
}

#[test]
fn without_a_file_only_what_needs_no_columns_is_suggested() {
    for (kind, message, steps) in [
        (Kind::ConvertFormat, "convert to json", 1),
        (Kind::GenerateSql, "generate sql", 1),
        (Kind::GenerateJson, "generate json", 1),
        (Kind::GenerateJson, "generate json with columns: a", 0),
        (Kind::ExtractColumns, "extract columns: a", 0),
        (Kind::MapColumns, "rename a to b", 0),
    ] {
        let suggestion = suggest(kind, message, None);
        assert_eq!(suggestion.steps.len(), steps, "{message}");
        assert_eq!(suggestion.missing.is_some(), steps == 0);
    }
}

#[test]
fn any_text_gets_steps_that_parse_or_says_what_is_missing() {
    let words = [
        "extract",
        "columns",
        "name",
        "İ",
        "é",
        "\"",
        "where",
        ">",
        "is",
        "between",
        "and",
        "or",
        "to",
        "merge",
        "a.csv",
        "on",
        "adding",
        "rename",
        "uppercase",
        "json",
        ",",
        "first name",
        "ß",
        "=",
        "phone",
        "sql table",
        "except",
        "5",
        "in",
    ];
    let mut seed = 7_u64;
    for _ in 0..3000 {
        let message: Vec<_> = (0..7)
            .map(|_| {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                words[usize::try_from(seed >> 33).unwrap() % words.len()]
            })
            .collect();
        let message = message.join(" ");
        let Some(intent) = classify(&message) else { continue };
        let Suggestion { steps, missing } = of(intent.kind, &message);
        assert_eq!(steps.is_empty(), missing.is_some(), "{message}");
        for step in steps {
            let arguments = step.arguments.to_string();
            Operation::parse(&step.operation, &arguments).expect(&message);
        }
    }
}
