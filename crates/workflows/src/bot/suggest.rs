//! Suggests steps for a message, or asks for the details that it lacks.
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::intent::Kind;

mod columns;
mod condition;
mod normalize;
#[cfg(test)]
mod tests;

use columns::ColumnNames;

/// A suggested step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Suggested {
    pub(crate) operation: String,
    #[serde(default)]
    pub(crate) arguments: Value,
    #[serde(default)]
    pub(crate) description: String,
}

/// The file that the first step would read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileSeen {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
}

/// Suggested steps, or a question.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Suggestion {
    pub(crate) steps: Vec<Suggested>,
    /// Sentence that asks the user for missing details.
    pub(crate) missing: Option<String>,
}

/// `Err` is a sentence that asks the user for missing details.
type SuggestResult = Result<Vec<Suggested>, String>;

const NO_FILE: &str = "Upload the file, so that I can see its columns.";

pub(crate) fn pattern(pattern: &str) -> Regex {
    Regex::new(&format!("(?i){pattern}")).expect("the pattern is valid")
}

/// Suggests steps for `message`. Columns are matched with those of `file`, in any letter case.
pub(crate) fn suggest(kind: Kind, message: &str, file: Option<&FileSeen>) -> Suggestion {
    let steps = match kind {
        Kind::ConvertFormat => convert(message, file),
        Kind::GenerateSql => sql(message, file),
        Kind::GenerateJson => json(message, file),
        _ => file.ok_or_else(|| NO_FILE.to_owned()).and_then(|file| match kind {
            Kind::ExtractColumns => extract(message, &ColumnNames::of(file)),
            Kind::NormalizeData => normalize::steps(message, &ColumnNames::of(file)),
            Kind::SearchFilter => search(message, file),
            Kind::BindData => bind(message, &ColumnNames::of(file)),
            _ => rename(message, &ColumnNames::of(file)),
        }),
    };
    match steps {
        Ok(steps) => Suggestion { steps, missing: None },
        Err(missing) => Suggestion { steps: Vec::new(), missing: Some(missing) },
    }
}

fn one(operation: &str, arguments: Value, description: impl Into<String>) -> Vec<Suggested> {
    let description = description.into();
    vec![Suggested { operation: operation.to_owned(), arguments, description }]
}

/// Lists names for people, at most eight.
fn shown(names: &[String]) -> String {
    let first: Vec<_> = names.iter().take(8).map(String::as_str).collect();
    let more = names.len() - first.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

fn extract(message: &str, columns: &ColumnNames<'_>) -> SuggestResult {
    static ALL: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"\b(all|every)\s+(of\s+)?(the\s+)?(columns?|fields?|data)\b"));
    static BUT: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"\b(?:except(?:\s+for)?|without|excluding|but\s+not)\s+(.+)$"));
    static UNIQUE: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"\b(unique|distinct|duplicates?)\b"));

    let but = BUT.captures(message).and_then(|found| found.get(1));
    let not = but.map(|list| columns.mentioned(list.as_str())).unwrap_or_default();
    let names = if !not.is_empty() {
        columns.all().iter().filter(|name| !not.contains(name)).cloned().collect()
    } else if let Some(named) = columns.listed(message) {
        named?
    } else if ALL.is_match(message) {
        columns.all().to_vec()
    } else {
        Vec::new()
    };
    if names.is_empty() {
        let example = r#"Say which columns, as in "extract columns: name, email"."#;
        return Err(format!("{example} {}", columns.known()));
    }
    let unique = UNIQUE.is_match(message);
    let rows = if unique { ", each different row once" } else { "" };
    let description = format!("Keep the columns {}{rows}", shown(&names));
    let arguments = json!({ "columns": names, "remove_duplicates": unique });
    Ok(one("excel/extract-columns-to-file", arguments, description))
}

fn convert(message: &str, file: Option<&FileSeen>) -> SuggestResult {
    static TARGET: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"\b(?:to|into|as)\s+(?:an?\s+)?\.?(excel|xlsx|csv|json|sql)\b"));
    static FORMAT: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(excel|xlsx|csv|json|sql)\b"));

    let target = TARGET.captures(message).and_then(|found| found.get(1));
    let target = target.or_else(|| FORMAT.find_iter(message).last());
    let target = target.map(|format| format.as_str().to_ascii_lowercase());
    let extension = file.map(FileSeen::extension).unwrap_or_default();
    Ok(match (target.as_deref(), extension.as_str()) {
        (Some("csv"), "csv") | (Some("excel" | "xlsx"), "xlsx") => {
            let example = r#"as in "convert to json""#;
            return Err(format!("The file has that format already. Say another one, {example}."));
        }
        (Some("csv"), _) => one("excel/convert-to-csv", json!({}), "Convert the file to CSV"),
        (Some("excel" | "xlsx"), _) => {
            let arguments = json!({ "sheet_name": "Sheet1" });
            one("csv/convert-to-excel", arguments, "Convert the file to an Excel workbook")
        }
        (Some("json"), _) => json(message, file)?,
        (Some("sql"), _) => sql(message, file)?,
        _ => return Err(r#"Say to which format, as in "convert to csv", "convert to excel" or "convert to json"."#.to_owned()),
    })
}

/// Columns that a message lists after the word `columns`. `None` means all.
fn only(message: &str, file: Option<&FileSeen>) -> Result<Option<Vec<String>>, String> {
    let Some(segment) = columns::after_the_word(message) else { return Ok(None) };
    let Some(file) = file else { return Err(NO_FILE.to_owned()) };
    let names = ColumnNames::of(file).read(segment)?;
    Ok(Some(names).filter(|names| !names.is_empty()))
}

fn sql(message: &str, file: Option<&FileSeen>) -> SuggestResult {
    static TABLE: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r#"\b(?:table|into)\s+(?:(?:an?|the|table|named|called|name)\s+)*["'`]?([a-z_]\w*)"#,
        )
    });
    const NOT_A_NAME: [&str; 13] = [
        "for",
        "from",
        "with",
        "of",
        "in",
        "and",
        "using",
        "sql",
        "statements",
        "database",
        "mysql",
        "postgresql",
        "sqlite",
    ];

    let table =
        TABLE.captures(message).and_then(|found| found.get(1)).map_or("data", |name| name.as_str());
    let is_name = !NOT_A_NAME.contains(&table.to_ascii_lowercase().as_str());
    let table = if is_name { table } else { "data" };
    let lower = message.to_lowercase();
    let other = ["mysql", "sqlite"].into_iter().find(|database| lower.contains(database));
    let database = other.unwrap_or("postgresql");
    let mut arguments = json!({ "table_name": table, "database_type": database });
    let description = format!("Write INSERT statements for the table {table} ({database})");
    Ok(if let Some(names) = only(message, file)? {
        let description = format!("{description} with the columns {}", shown(&names));
        arguments["columns"] = names.into();
        one("sql/generate-to-text", arguments, description)
    } else {
        arguments["include_transaction"] = true.into();
        one("sql/generate", arguments, description)
    })
}

fn json(message: &str, file: Option<&FileSeen>) -> SuggestResult {
    static COMPACT: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"\b(compact|minified|one\s+line)\b"));

    let pretty = !COMPACT.is_match(message);
    let mut arguments =
        json!({ "pretty_print": pretty, "null_handling": "include", "array_wrapper": true });
    let mut description = "Write every row as a JSON object".to_owned();
    if let Some(names) = only(message, file)? {
        description = format!("{description} with the columns {}", shown(&names));
        let mapping: Map<_, _> =
            names.into_iter().map(|name| (name.clone(), name.into())).collect();
        arguments["column_mapping"] = mapping.into();
    }
    Ok(one("json/generate", arguments, description))
}

fn search(message: &str, file: &FileSeen) -> SuggestResult {
    let found = condition::read(message, &ColumnNames::of(file))?;
    let operation = if file.extension() == "csv" { "csv/search" } else { "excel/search" };
    let (group, _) = operation.split_once('/').unwrap_or_default();
    let description = format!("Keep the rows where {}", found.description);
    let arguments =
        json!({ "conditions": found.conditions, "logic": found.logic, "output_format": group });
    Ok(one(operation, arguments, description))
}

fn bind(message: &str, columns: &ColumnNames<'_>) -> SuggestResult {
    static FILE: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r#""([^"]+\.(?:xlsx|csv|tsv|txt))"|([^\s"',;:]+\.(?:xlsx|csv|tsv|txt))\b"#)
    });
    static KEYS: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"\b(?:on|by|using)\s+(?:the\s+)?(?:columns?\s+|keys?\s+)?(.+?)\s*(?:,|\band\b)?\s*(?:\b(?:to\s+)?(?:add|adding|bring|bringing|take|taking)\b|$)",
        )
    });
    static ADDED: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"\b(?:add|adding|bring|bringing|take|taking)\s+(?:the\s+)?(?:columns?\s+)?(.+)$")
    });
    const EXAMPLE: &str = r#"Say the other file, the column that both have and the columns to add, as in "merge with prices.xlsx on id adding price"."#;

    let example = || EXAMPLE.to_owned();
    let name = FILE.captures(message).ok_or_else(example)?;
    let rest = message.get(name.get(0).map_or(0, |whole| whole.end())..).unwrap_or_default();
    let name = name.get(1).or(name.get(2)).map_or("", |name| name.as_str());
    let keys = KEYS.captures(rest).and_then(|found| found.get(1)).ok_or_else(example)?;
    let keys = columns.read(keys.as_str())?;
    let added = ADDED.captures(rest).and_then(|found| found.get(1)).ok_or_else(example)?;
    let mut added = columns::split(added.as_str());
    added.dedup();
    if keys.is_empty() || added.is_empty() {
        return Err(example());
    }
    if let Some(there) = added.iter().find(|name| columns.all().contains(name)) {
        return Err(format!("The file has a column {there} already. Say other columns to add."));
    }
    let description =
        format!("Add {} from {name} where {} is the same", shown(&added), shown(&keys));
    let mut arguments = json!({ "bind_file": name, "bind_columns": added });
    Ok(if let [key] = keys.as_slice() {
        arguments["comparison_column"] = key.as_str().into();
        one("excel/bind-single-key", arguments, description)
    } else {
        arguments["comparison_columns"] = keys.into();
        one("excel/bind-multi-key", arguments, description)
    })
}

fn rename(message: &str, columns: &ColumnNames<'_>) -> SuggestResult {
    static TO: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"^(.*?\S)\s*(?:\s(?:to|as|into)\s|->|=>|→|=)\s*(\S.*)$"));

    let mut names: Vec<String> = columns.all().to_vec();
    let mut renamed = Vec::new();
    for part in columns::split(message) {
        let Some(found) = TO.captures(&part) else { continue };
        let (_, [old, new]) = found.extract();
        let at = columns
            .ends(old)
            .ok_or_else(|| format!("I see no column to rename in {old:?}. {}", columns.known()))?;
        let new = columns::bare(new);
        if new.is_empty() {
            return Err(format!("Say the new name of {}.", columns.all()[at]));
        }
        new.clone_into(&mut names[at]);
        renamed.push(format!("{} to {new}", columns.all()[at]));
    }
    if renamed.is_empty() {
        let example = r#"Say the old and the new name, as in "rename name to customer"."#;
        return Err(format!("{example} {}", columns.known()));
    }
    let mut sorted: Vec<_> = names.iter().collect();
    sorted.sort_unstable();
    if let Some([twice, _]) = sorted.array_windows().find(|[one, other]| one == other) {
        return Err(format!("Two columns would be called {twice}. Say another name."));
    }
    let in_order = sorted.iter().zip(&names).all(|(one, other)| *one == other);
    let pairs = names.iter().zip(columns.all());
    let mapping: Map<_, _> = pairs.map(|(new, old)| (new.clone(), old.as_str().into())).collect();
    let description = format!("Rename {}", shown(&renamed));
    let mut steps = one("excel/map-columns", json!({ "mapping": mapping }), description);
    // The members of a JSON object have no order, so the columns lose theirs.
    if !in_order {
        let arguments = json!({ "columns": names, "remove_duplicates": false });
        let description = "Put the columns in the order they had";
        steps.extend(one("excel/extract-columns-to-file", arguments, description));
    }
    Ok(steps)
}

// === impl FileSeen ===

impl FileSeen {
    /// File extension in lower case, without the dot.
    fn extension(&self) -> String {
        self.name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase()
    }
}
