//! Conditions of a search, as messages write them: `age > 30 and city equals Paris`.
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Number, Value, json};

use super::{
    columns::{ColumnNames, bare},
    pattern,
};

#[derive(Debug)]
pub(super) struct SearchConditions {
    pub(super) conditions: Vec<Value>,
    pub(super) logic: &'static str,
    pub(super) description: String,
}

/// Patterns of the operators. Of two that match at the same place, the earlier one wins.
const OPERATOR_PATTERNS: [(&str, &str); 17] = [
    ("is_not_empty", r"\b(?:is|are)\s+not\s+(?:empty|blank|null|missing)\b"),
    ("is_empty", r"\b(?:is|are)\s+(?:empty|blank|null|missing)\b"),
    ("not_contains", r"\b(?:does\s+not|doesn't|not)\s+(?:contains?|includes?)\b"),
    ("contains", r"\b(?:contains?|containing|includes?|including)\b"),
    ("starts_with", r"\b(?:starts|starting|begins|beginning)\s+with\b"),
    ("ends_with", r"\b(?:ends|ending)\s+with\b"),
    (
        "greater_than_or_equal",
        r">=|≥|\b(?:is\s+)?(?:(?:greater|more)\s+than\s+or\s+equals?(?:\s+to)?|at\s+least)\b",
    ),
    (
        "less_than_or_equal",
        r"<=|≤|\b(?:is\s+)?(?:(?:less|smaller)\s+than\s+or\s+equals?(?:\s+to)?|at\s+most)\b",
    ),
    (
        "not_equals",
        r"!=|<>|≠|\b(?:is\s+not\s+equal\s+to|does\s+not\s+equal|doesn't\s+equal|not\s+equals?(?:\s+to)?)\b",
    ),
    ("greater_than", r">|\b(?:is\s+)?(?:(?:greater|more|larger|higher)\s+than|over|above)\b"),
    ("less_than", r"<|\b(?:is\s+)?(?:(?:less|fewer|smaller|lower)\s+than|under|below)\b"),
    ("between", r"\b(?:is\s+)?between\b"),
    ("before", r"\b(?:is\s+)?before\b"),
    ("after", r"\b(?:is\s+)?after\b"),
    ("not_equals", r"\bis\s+not\b|\bisn't\b"),
    ("equals", r"==?|\b(?:is\s+)?equals?(?:\s+to)?\b"),
    ("equals", r"\bis\b"),
];

static OPERATORS: LazyLock<Regex> = LazyLock::new(|| {
    let patterns: Vec<_> =
        OPERATOR_PATTERNS.iter().map(|(_, pattern)| format!("({pattern})")).collect();
    pattern(&patterns.join("|"))
});

/// Reads the conditions of `message`. `Err` asks the user for missing details.
pub(super) fn read(message: &str, columns: &ColumnNames<'_>) -> Result<SearchConditions, String> {
    let (clauses, logic) = clauses(message)?;
    let mut conditions = Vec::new();
    let mut described = Vec::new();
    for clause in clauses {
        let (column, operator, value) = condition(clause, columns)?;
        let shown = match &value {
            Value::Null => String::new(),
            Value::String(text) => format!(" {text}"),
            Value::Array(bounds) => {
                let bounds = bounds
                    .iter()
                    .map(|bound| bound.as_str().map_or(bound.to_string(), str::to_owned));
                format!(" {}", bounds.collect::<Vec<_>>().join(" and "))
            }
            other => format!(" {other}"),
        };
        described.push(format!("{column} {}{shown}", operator.replace('_', " ")));
        let mut condition = json!({ "column": column, "operator": operator });
        if !value.is_null() {
            condition["value"] = value;
        }
        conditions.push(condition);
    }
    let description = described.join(if logic == "AND" { " and " } else { " or " });
    Ok(SearchConditions { conditions, logic, description })
}

/// Reads one condition: column, operator and value.
fn condition<'a>(
    clause: &str,
    columns: &ColumnNames<'a>,
) -> Result<(&'a str, &'static str, Value), String> {
    static IN: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"^\s*(?:search|find|filter|look\s*up)\s+(?:for\s+)?(.+)\s+in\s+(.+)$")
    });

    for found in OPERATORS.captures_iter(clause) {
        let Some(whole) = found.get(0) else { continue };
        let before = clause.get(..whole.start()).unwrap_or_default();
        let Some(at) = columns.ends(before) else { continue };
        let group = (1..=OPERATOR_PATTERNS.len()).find(|group| found.get(*group).is_some());
        let operator = group.map_or("equals", |group| OPERATOR_PATTERNS[group - 1].0);
        let after = clause.get(whole.end()..).unwrap_or_default();
        let (operator, value) = value(operator, bare(after))?;
        return Ok((&columns.all()[at], operator, value));
    }
    if let Some(found) = IN.captures(clause) {
        let (_, [text, column]) = found.extract();
        if let Some(at) = columns.ends(column) {
            return Ok((&columns.all()[at], "contains", bare(text).into()));
        }
    }
    let example = r#"as in "where age > 30" or "where city equals Paris""#;
    let clause = clause.trim();
    Err(format!(
        "I see no condition on a column in {clause:?}. Say the column, how to compare and with \
         what, {example}. {}",
        columns.known()
    ))
}

/// Splits a message at `and` or `or`, except in quotes and in `between x and y`.
fn clauses(message: &str) -> Result<(Vec<&str>, &'static str), String> {
    static BETWEEN: LazyLock<Regex> = LazyLock::new(|| pattern(r"\s(and|or)\s"));
    static OPEN: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bbetween\b"));

    let mut clauses = Vec::new();
    let mut logic = None;
    let (mut start, mut open_from) = (0, 0);
    for found in BETWEEN.captures_iter(message) {
        let (Some(whole), Some(word)) = (found.get(0), found.get(1)) else { continue };
        let clause = message.get(start..whole.start()).unwrap_or_default();
        let quoted = clause.matches('"').count() % 2 == 1;
        let recent = message.get(open_from..whole.start()).unwrap_or_default();
        let is_and = word.as_str().eq_ignore_ascii_case("and");
        let bounds = is_and && OPEN.is_match(recent);
        // `greater than or equal` is one operator.
        let rest = message.get(word.end()..).unwrap_or_default().trim_start().to_lowercase();
        let inside = !is_and && rest.starts_with("equal") && clause.trim_end().ends_with("than");
        if quoted || bounds || inside {
            open_from = whole.start();
            continue;
        }
        let word = if is_and { "AND" } else { "OR" };
        if *logic.get_or_insert(word) != word {
            return Err("Join the conditions with \"and\" only, or with \"or\" only.".to_owned());
        }
        clauses.push(clause);
        (start, open_from) = (whole.end(), whole.end());
    }
    clauses.push(message.get(start..).unwrap_or_default());
    Ok((clauses, logic.unwrap_or("AND")))
}

/// Reads the value of `operator`. Dates have other operators of order than numbers.
fn value(operator: &'static str, text: &str) -> Result<(&'static str, Value), String> {
    static BOUNDS: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(.+?)\s+(?:and|to)\s+(.+)$"));

    let order = matches!(
        operator,
        "greater_than" | "greater_than_or_equal" | "less_than" | "less_than_or_equal"
    );
    let wrong = |expected: &str| Err(format!("Say {expected} instead of {text:?}."));
    Ok(match operator {
        "is_empty" | "is_not_empty" => (operator, Value::Null),
        _ if text.is_empty() => {
            let operator = operator.replace('_', " ");
            return Err(format!("Say what comes after \"{operator}\"."));
        }
        "between" => {
            let Some(found) = BOUNDS.captures(text) else {
                return wrong("two bounds, as in \"between 10 and 20\",");
            };
            let (_, bounds) = found.extract();
            let bounds: [&str; 2] = bounds.map(bare);
            match bounds.map(number) {
                [Some(low), Some(high)] => (operator, json!([low, high])),
                _ if bounds.iter().all(|bound| is_date(bound)) => (operator, json!(bounds)),
                _ => return wrong("two numbers or two dates"),
            }
        }
        _ if order => match (number(text), operator) {
            (Some(number), _) => (operator, number.into()),
            (None, "greater_than") if is_date(text) => ("after", text.into()),
            (None, "less_than") if is_date(text) => ("before", text.into()),
            (None, _) if is_date(text) => return wrong("\"after\" or \"before\" a date"),
            (None, _) => return wrong("a number"),
        },
        _ => (operator, text.into()),
    })
}

fn number(text: &str) -> Option<Number> {
    let whole = text.parse::<i64>().ok().map(Number::from);
    whole.or_else(|| Number::from_f64(text.parse().ok()?))
}

fn is_date(text: &str) -> bool {
    static DATE: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ]\d{1,2}:\d{2}\S*)?$"));
    DATE.is_match(text)
}
