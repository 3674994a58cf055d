//! Suggests normalisations of columns.
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use super::{SuggestResult, Suggested, columns::ColumnNames, one, pattern, shown};

/// Types that a message names, with their patterns.
const NAMED_TYPES: [(&str, &str); 5] = [
    ("uppercase", r"\bupper[\s-]?case\b|\bcapitals\b"),
    ("lowercase", r"\blower[\s-]?case\b"),
    ("title_case", r"\btitle[\s-]?case\b"),
    ("trim_whitespace", r"\btrim\w*|\bspaces\b|\bwhite\s?space\b"),
    ("remove_special_chars", r"\bspecial\s+char\w*"),
];

/// Types that follow from the name of a column, with the word in it.
const IMPLIED_TYPES: [(&str, &str); 3] =
    [("phone_format", "phone"), ("email_format", "mail"), ("date_format", "date")];

static TYPES: LazyLock<Regex> = LazyLock::new(|| {
    let patterns: Vec<_> = NAMED_TYPES.iter().map(|(_, phrase)| format!("({phrase})")).collect();
    pattern(&patterns.join("|"))
});

pub(super) fn steps(message: &str, columns: &ColumnNames<'_>) -> SuggestResult {
    static CLEAN: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"\b(normali[sz]e|clean|standardi[sz]e)\b"));
    static ROWS: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bduplicates?\b"));

    let lower = message.to_lowercase();
    if columns.all().is_empty() {
        return Err(columns.known());
    }
    let distinct = ROWS.is_match(&lower);
    let places = columns.places(&lower);
    let types: Vec<_> = TYPES
        .captures_iter(&lower)
        .filter_map(|found| {
            let group = (1..=NAMED_TYPES.len()).find(|group| found.get(*group).is_some())?;
            Some((found.get(0)?.start(), NAMED_TYPES[group - 1].0))
        })
        .collect();
    let mut items: Vec<(usize, &str)> = Vec::new();
    if !types.is_empty() {
        if places.is_empty() {
            let all = everywhere(&lower, columns)?;
            items.extend(
                all.into_iter().flat_map(|at| types.iter().map(move |named| (at, named.1))),
            );
        } else {
            items = assign(&types, &places);
        }
    } else if distinct {
        // The request is about rows, whatever columns are named.
    } else if let Some((name, word)) = IMPLIED_TYPES.iter().find(|(_, word)| lower.contains(word)) {
        let named = |at: &usize| columns.all()[*at].to_lowercase().contains(word);
        let mut ats: Vec<_> = places.iter().map(|(_, at)| *at).collect();
        if ats.is_empty() {
            ats = (0..columns.all().len()).filter(named).collect();
        }
        items.extend(ats.into_iter().map(|at| (at, *name)));
    } else if CLEAN.is_match(&lower) {
        let named = places.into_iter().map(|(_, at)| at).collect::<Vec<_>>();
        let ats = if named.is_empty() { everywhere(&lower, columns)? } else { named };
        items.extend(ats.into_iter().map(|at| (at, "trim_whitespace")));
    }
    if items.is_empty() {
        return if distinct { Ok(different(columns)) } else { Err(unclear(columns)) };
    }
    let described: Vec<_> = items
        .iter()
        .map(|(at, name)| format!("{} ({})", columns.all()[*at], name.replace('_', " ")))
        .collect();
    let items: Vec<Value> = items
        .into_iter()
        .map(|(at, name)| json!({ "column_name": columns.all()[at], "normalization_type": name }))
        .collect();
    let arguments = json!({ "normalizations": items, "return_report": true });
    let mut steps =
        one("normalization/apply", arguments, format!("Normalise {}", shown(&described)));
    if distinct {
        steps.extend(different(columns));
    }
    Ok(steps)
}

fn unclear(columns: &ColumnNames<'_>) -> String {
    let example =
        r#"Say what to do with which column, as in "uppercase name" or "trim all columns"."#;
    format!("{example} {}", columns.known())
}

/// Assigns types to columns. A column gets the types between it and the column before. Columns
/// before the first type get that type, as in `make name uppercase`; types after the last column
/// belong to that column.
fn assign<'a>(types: &[(usize, &'a str)], places: &[(usize, usize)]) -> Vec<(usize, &'a str)> {
    let mut groups: Vec<(Vec<&str>, Vec<usize>)> = vec![Default::default()];
    let mut places = places.iter().peekable();
    for (place, (_, name)) in types.iter().enumerate() {
        let end = types.get(place + 1).map_or(usize::MAX, |next| next.0);
        if groups.last().is_some_and(|(_, columns)| !columns.is_empty()) {
            groups.push(Default::default());
        }
        if let Some((names, columns)) = groups.last_mut() {
            names.push(name);
            while let Some((_, at)) = places.next_if(|(place, _)| *place < end) {
                columns.push(*at);
            }
        }
    }
    if let Some((late, _)) = groups.pop_if(|(_, columns)| columns.is_empty())
        && let Some((names, _)) = groups.last_mut()
    {
        names.extend(late);
    }
    groups
        .iter()
        .flat_map(|(names, ats)| ats.iter().flat_map(|at| names.iter().map(|name| (*at, *name))))
        .collect()
}

/// All columns, if the message means all. `Err` asks the user for missing details.
fn everywhere(lower: &str, columns: &ColumnNames<'_>) -> Result<Vec<usize>, String> {
    static ALL: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"\b(all|data|every\w*|values?|columns|cells?|files?|tables?|spreadsheet|rows|text)\b",
        )
    });
    static ALONE: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"^\W*(please\s+)?((remove|trim|clean|normali[sz]e|standardi[sz]e)\W*)?((extra|white)?\s*spaces?|uppercase|lowercase)?\W*$",
        )
    });
    if ALL.is_match(lower) || ALONE.is_match(lower) {
        Ok((0..columns.all().len()).collect())
    } else {
        Err(unclear(columns))
    }
}

fn different(columns: &ColumnNames<'_>) -> Vec<Suggested> {
    let arguments = json!({ "columns": columns.all(), "remove_duplicates": true });
    one("excel/extract-columns-to-file", arguments, "Keep each different row once")
}
