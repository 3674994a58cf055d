//! A condition on a cell.
use std::cmp::Ordering;

use jiff::civil::DateTime;
use serde_json::Value;

use crate::{
    cell::{Cell, float_text},
    date::{Moment, Reading},
    error::{BadArguments, Error, list},
    number::Numeric,
    patterns::{CellPattern, Patterns},
    progress::Meter,
};

/// The operators, by the names that clients use.
pub const OPERATORS: [&str; 16] = [
    "equals",
    "not_equals",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "is_empty",
    "is_not_empty",
    "greater_than",
    "greater_than_or_equal",
    "less_than",
    "less_than_or_equal",
    "between",
    "before",
    "after",
    "regex",
];

/// Operators that make sense for any text.
pub const TEXT_OPERATORS: &[&str] = OPERATORS.split_at(8).0;

#[derive(Clone, Debug)]
pub(super) enum Test {
    Equals {
        text: String,
        not: bool,
    },
    /// The text is in lower case.
    Contains {
        text: String,
        not: bool,
    },
    StartsWith(String),
    EndsWith(String),
    Empty {
        not: bool,
    },
    /// Without a number to compare with, no cell matches.
    Compare {
        number: Option<Numeric>,
        holds: fn(Ordering) -> bool,
    },
    Between([Numeric; 2]),
    BetweenDates([Date; 2]),
    Before(Date),
    After(Date),
    Regex(CellPattern),
}

/// A date of the request. `now` is known only when the operation runs.
#[derive(Clone, Debug)]
pub(super) enum Date {
    Text(String),
    Instant(Option<DateTime>),
}

// === impl Test ===

impl Test {
    /// Parses the condition at index `at`.
    pub(super) fn parse(
        at: usize,
        operator: &str,
        value: Value,
        patterns: &mut Patterns,
    ) -> Result<Self, BadArguments> {
        Ok(match operator.to_ascii_lowercase().as_str() {
            "equals" => Self::Equals { text: text(&value), not: false },
            "not_equals" => Self::Equals { text: text(&value), not: true },
            "contains" => Self::Contains { text: lower(&text(&value)), not: false },
            "not_contains" => Self::Contains { text: lower(&text(&value)), not: true },
            "starts_with" => Self::StartsWith(text(&value)),
            "ends_with" => Self::EndsWith(text(&value)),
            "is_empty" => Self::Empty { not: false },
            "is_not_empty" => Self::Empty { not: true },
            "greater_than" => compare(&value, Ordering::is_gt),
            "greater_than_or_equal" => compare(&value, Ordering::is_ge),
            "less_than" => compare(&value, Ordering::is_lt),
            "less_than_or_equal" => compare(&value, Ordering::is_le),
            "between" => between(value)?,
            "before" => Self::Before(Date::of(&value)),
            "after" => Self::After(Date::of(&value)),
            "regex" => Self::Regex(patterns.get(&text(&value)).map_err(|reason| {
                let argument = format!("conditions[{at}].value");
                BadArguments::Wrong { argument, reason }
            })?),
            _ => {
                let what = format!("Unsupported operator: {operator}");
                return Err(BadArguments::Refused(what));
            }
        })
    }

    pub(super) fn reads_dates(&self) -> bool {
        matches!(self, Self::Before(_) | Self::After(_) | Self::BetweenDates(_))
    }

    /// Returns the same test with its dates resolved, with the month first.
    pub(super) fn prepare(&self, reading: Reading) -> Self {
        match self {
            Self::Before(date) => Self::Before(date.resolve(reading)),
            Self::After(date) => Self::After(date.resolve(reading)),
            Self::BetweenDates(dates) => {
                Self::BetweenDates(dates.each_ref().map(|date| date.resolve(reading)))
            }
            other => other.clone(),
        }
    }

    pub(super) fn is_true(
        &self,
        cell: &Cell,
        reading: Reading,
        meter: &mut Meter<'_>,
    ) -> Result<bool, Error> {
        let number = || Numeric::of(cell);
        let moment = || Moment::of(cell, reading).map(Moment::instant);
        let content = cell.text();
        let negated = match self {
            Self::Empty { not } => return Ok(cell.is_empty() != *not),
            Self::Equals { not, .. } | Self::Contains { not, .. } => *not,
            _ => false,
        };
        let Some(content) = content else { return Ok(negated) };
        Ok(match self {
            Self::Equals { text, not } => (content == *text) != *not,
            Self::Contains { text, not } => lower(&content).contains(text) != *not,
            Self::StartsWith(text) => content.starts_with(text),
            Self::EndsWith(text) => content.ends_with(text),
            Self::Empty { not } => content.is_empty() != *not,
            Self::Compare { number: other, holds } => match (number(), other) {
                (Some(number), Some(other)) => holds(number.compare(*other)),
                _ => false,
            },
            Self::Between([low, high]) => number().is_some_and(|number| {
                number.compare(*low).is_ge() && number.compare(*high).is_le()
            }),
            Self::BetweenDates([low, high]) => match (low.instant(), moment(), high.instant()) {
                (Some(low), Some(moment), Some(high)) => low <= moment && moment <= high,
                _ => false,
            },
            Self::Before(date) => {
                matches!((moment(), date.instant()), (Some(moment), Some(date)) if moment < date)
            }
            Self::After(date) => {
                matches!((moment(), date.instant()), (Some(moment), Some(date)) if moment > date)
            }
            Self::Regex(pattern) => pattern.is_match(&content, meter)?,
        })
    }
}

// === impl Date ===

impl Date {
    fn of(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text.clone()),
            Value::Number(number) => {
                let nanos = number.as_i128();
                Self::Instant(nanos.and_then(Moment::nanoseconds).map(Moment::instant))
            }
            _ => Self::Instant(None),
        }
    }

    fn resolve(&self, reading: Reading) -> Self {
        match self {
            Self::Text(text) => {
                let reading = Reading { day_first: false, ..reading };
                Self::Instant(Moment::parse(text, reading).map(Moment::instant))
            }
            Self::Instant(instant) => Self::Instant(*instant),
        }
    }

    fn instant(&self) -> Option<DateTime> {
        match self {
            Self::Instant(instant) => *instant,
            Self::Text(_) => None,
        }
    }
}

fn compare(value: &Value, holds: fn(Ordering) -> bool) -> Test {
    Test::Compare { number: number(value), holds }
}

fn between(value: Value) -> Result<Test, BadArguments> {
    let refused = "For 'between' operator, value must be a list with [min, max]";
    let bounds: Option<[Value; 2]> = match value {
        Value::Array(bounds) => bounds.try_into().ok(),
        _ => None,
    };
    let bounds = bounds.ok_or_else(|| BadArguments::Refused(refused.to_owned()))?;
    Ok(match bounds.each_ref().map(number) {
        [Some(low), Some(high)] => Test::Between([low, high]),
        _ => Test::BetweenDates(bounds.each_ref().map(Date::of)),
    })
}

fn number(value: &Value) -> Option<Numeric> {
    match value {
        Value::Bool(value) => Some(Numeric::Int(i128::from(*value))),
        Value::String(text) => Numeric::parse(text),
        Value::Number(number) => {
            number.as_i128().map(Numeric::Int).or(number.as_f64().map(Numeric::Float))
        }
        _ => None,
    }
}

/// Converts each character to lower case by itself, so that a sigma is the same at the end of a
/// word and within it.
fn lower(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let small = text.chars().flat_map(char::to_lowercase);
    small.map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

/// Returns the text that cells are compared with.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) if number.is_f64() => float_text(number.as_f64().unwrap_or_default()),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let nested = |value: &Value| match value {
                Value::String(text) => {
                    let quoted = list(&[text]);
                    quoted.trim_start_matches('[').trim_end_matches(']').to_owned()
                }
                value => text(value),
            };
            format!("[{}]", values.iter().map(nested).collect::<Vec<_>>().join(", "))
        }
        Value::Object(_) => value.to_string(),
    }
}
