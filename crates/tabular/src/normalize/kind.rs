//! Types of normalisation, with their parameters.
use std::collections::HashMap;

use jiff::civil::DateTime;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{format::directives, pattern::Replacement};
use crate::{
    arguments::{or_default, reason},
    cell::Cell,
    error::list,
    patterns::Patterns,
};

/// Names of the types, as clients use them, with a description of each.
pub const TYPES: [(&str, &str); 26] = [
    ("uppercase", "upper case"),
    ("lowercase", "lower case"),
    ("title_case", "a capital at the beginning of each word"),
    ("trim_whitespace", "no white space at the ends"),
    ("collapse_whitespace", "no white space at the ends, single spaces between words"),
    ("remove_special_chars", "only letters from a to z, digits and white space"),
    ("phone_format", "North American phone numbers in one form"),
    ("email_format", "lower case without white space at the ends"),
    ("name_format", "capitalised words without white space at the ends"),
    ("address_format", "one line, single spaces, capitalised words"),
    ("min_max_scale", "numbers from 0 to 1"),
    ("z_score", "distance from the mean in standard deviations"),
    ("round_decimal", "numbers rounded to some decimals"),
    ("integer_convert", "whole numbers, 0 for what is no number"),
    ("currency_format", "amounts as numbers"),
    ("date_format", "dates in one form"),
    ("datetime_format", "dates with times in one form"),
    ("date_extract_year", "the year of a date"),
    ("date_extract_month", "the month of a date, from 1"),
    ("date_extract_day", "the day of a date, from 1"),
    ("boolean_convert", "true for some words, false for all others"),
    ("yes_no_convert", "Yes for some words, No for all others"),
    ("categorical_mapping", "replacements for some words"),
    ("regex_replace", "replacements for the matches of a pattern"),
    ("fill_null_values", "a value for empty cells"),
    ("outlier_removal", "no numbers far from the others"),
];

/// A change of every cell in a column.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Upper,
    Lower,
    Title,
    Trim,
    Collapse,
    Phone,
    Email,
    Name,
    Address,
    Replace(Replacement),
    Scale,
    Score,
    Round(i32),
    Integer,
    Currency { comma: bool, parentheses: bool },
    Date { format: String },
    DatePart(DatePart),
    Boolean(Vec<String>),
    YesNo(Vec<String>),
    Categories { mapping: HashMap<String, Cell>, default: Option<Cell> },
    Fill { value: Cell, method: Method },
    Outliers(f64),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum DatePart {
    Year,
    Month,
    Day,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Value,
    Mode,
    Mean,
    Median,
}

#[derive(Deserialize)]
struct Replacing {
    pattern: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    replacement: String,
}

#[derive(Deserialize)]
struct Rounding {
    decimals: Option<i32>,
}

#[derive(Deserialize)]
struct Money {
    decimal_separator: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    parentheses: bool,
}

#[derive(Deserialize)]
struct Formatting {
    format: Option<String>,
}

#[derive(Deserialize)]
struct Words {
    true_values: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Mapping {
    mapping: HashMap<String, Value>,
    default: Option<Value>,
}

#[derive(Deserialize)]
struct Filling {
    #[serde(default)]
    value: Value,
    method: Option<String>,
}

#[derive(Deserialize)]
struct Fences {
    multiplier: Option<f64>,
}

const NOT_PLAIN: &str = r"[^a-zA-Z0-9\s]";
/// A double has no more decimal exponents.
const MAX_DECIMALS: i32 = 300;

// === impl Kind ===

impl Kind {
    /// Parses the type `name`, in any case. The error is a text for the report.
    pub(super) fn parse(
        name: &str,
        parameters: &Value,
        patterns: &mut Patterns,
    ) -> Result<Self, String> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "uppercase" => Self::Upper,
            "lowercase" => Self::Lower,
            "title_case" => Self::Title,
            "trim_whitespace" | "trim" => Self::Trim,
            "collapse_whitespace" => Self::Collapse,
            "remove_special_chars" => Self::replace(read(parameters)?, NOT_PLAIN, patterns)?,
            "phone_format" | "phone_number" => Self::Phone,
            "email_format" => Self::Email,
            "name_format" => Self::Name,
            "address_format" => Self::Address,
            "min_max_scale" => Self::Scale,
            "z_score" => Self::Score,
            "round_decimal" => {
                let Rounding { decimals } = read(parameters)?;
                Self::Round(decimals.unwrap_or(2).clamp(-MAX_DECIMALS, MAX_DECIMALS))
            }
            "integer_convert" => Self::Integer,
            "currency_format" => Self::currency(&read(parameters)?)?,
            "date_format" => Self::date(read(parameters)?, "%Y-%m-%d")?,
            "datetime_format" => Self::date(read(parameters)?, "%Y-%m-%d %H:%M:%S")?,
            "date_extract_year" => Self::DatePart(DatePart::Year),
            "date_extract_month" => Self::DatePart(DatePart::Month),
            "date_extract_day" => Self::DatePart(DatePart::Day),
            "boolean_convert" => {
                Self::Boolean(words(read(parameters)?, &["true", "1", "yes", "y", "on"]))
            }
            "yes_no_convert" => Self::YesNo(words(read(parameters)?, &["true", "1", "yes", "y"])),
            "categorical_mapping" => {
                let Mapping { mapping, default } = read(parameters)?;
                let mapping = mapping.into_iter().map(|(from, to)| Ok((from, scalar(&to)?)));
                let mapping = mapping.collect::<Result<_, String>>()?;
                let default = default.map(|value| scalar(&value)).transpose()?;
                Self::Categories { mapping, default }
            }
            "regex_replace" => Self::replace(read(parameters)?, "", patterns)?,
            "fill_null_values" => {
                let Filling { value, method } = read(parameters)?;
                let method = match method.as_deref() {
                    Some("mode") => Method::Mode,
                    Some("mean") => Method::Mean,
                    Some("median") => Method::Median,
                    _ => Method::Value,
                };
                let value = if value.is_null() { Cell::EMPTY } else { scalar(&value)? };
                Self::Fill { value, method }
            }
            "outlier_removal" => {
                let Fences { multiplier } = read(parameters)?;
                Self::Outliers(multiplier.unwrap_or(1.5))
            }
            _ => {
                let types = list(&TYPES.map(|(name, _)| name));
                return Err(format!(
                    "Invalid normalization type: '{name}'. Valid types are: {types}"
                ));
            }
        })
    }

    fn replace(
        parameters: Replacing,
        default: &str,
        patterns: &mut Patterns,
    ) -> Result<Self, String> {
        let Replacing { pattern, replacement } = parameters;
        let pattern = pattern.as_deref().unwrap_or(default);
        Ok(Self::Replace(Replacement::new(pattern, &replacement, patterns)?))
    }

    fn currency(parameters: &Money) -> Result<Self, String> {
        let comma = match parameters.decimal_separator.as_deref() {
            None | Some(".") => false,
            Some(",") => true,
            Some(_) => return Err("parameter `decimal_separator`: must be . or ,".to_owned()),
        };
        Ok(Self::Currency { comma, parentheses: parameters.parentheses })
    }

    fn date(parameters: Formatting, default: &str) -> Result<Self, String> {
        let format = parameters.format.unwrap_or_else(|| default.to_owned());
        // Microseconds always have six digits, and local formats are those of the C locale. Offsets
        // are filled in later.
        let format = directives(&format, |directive| match directive {
            'f' => Some("%6f"),
            'c' => Some("%a %b %e %H:%M:%S %Y"),
            'x' => Some("%m/%d/%y"),
            'X' => Some("%H:%M:%S"),
            _ => None,
        });
        let sample = directives(&format, |directive| matches!(directive, 'z' | 'Z').then_some(""));
        jiff::fmt::strtime::format(&sample, DateTime::constant(2024, 1, 15, 0, 0, 0, 0))
            .map_err(|error| format!("parameter `format`: {error}"))?;
        Ok(Self::Date { format })
    }
}

fn words(parameters: Words, default: &[&str]) -> Vec<String> {
    let words = parameters.true_values;
    let words = words.unwrap_or_else(|| default.iter().map(|&word| word.to_owned()).collect());
    // Cells are compared in lower case, too.
    words.into_iter().map(|word| word.to_lowercase()).collect()
}

/// Lists the parameters that the type `name` does not have.
pub(super) fn unknown<'a>(name: &str, parameters: &'a Value) -> Vec<&'a str> {
    let known: &[&str] = match name.to_ascii_lowercase().as_str() {
        "remove_special_chars" | "regex_replace" => &["pattern", "replacement"],
        "round_decimal" => &["decimals"],
        "currency_format" => &["decimal_separator", "parentheses"],
        "date_format" | "datetime_format" => &["format"],
        "boolean_convert" | "yes_no_convert" => &["true_values"],
        "categorical_mapping" => &["mapping", "default"],
        "fill_null_values" => &["value", "method"],
        "outlier_removal" => &["multiplier"],
        _ => &[],
    };
    let names = parameters.as_object().into_iter().flat_map(serde_json::Map::keys);
    names.map(String::as_str).filter(|name| !known.contains(name)).collect()
}

/// Converts a JSON value to a cell. Fails for lists and objects.
fn scalar(value: &Value) -> Result<Cell, String> {
    Ok(match value {
        Value::Null => Cell::Missing,
        Value::Bool(value) => Cell::Bool(*value),
        Value::String(text) => Cell::Text(text.clone()),
        Value::Number(number) => match number.as_i128() {
            Some(number) => Cell::Int(number),
            None => Cell::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::Array(_) | Value::Object(_) => {
            return Err("a value must be a text, a number, or a boolean".to_owned());
        }
    })
}

fn read<T: DeserializeOwned>(parameters: &Value) -> Result<T, String> {
    let empty = Value::Object(serde_json::Map::new());
    let parameters = if parameters.is_null() { &empty } else { parameters };
    serde_path_to_error::deserialize(parameters).map_err(|error| {
        let path = error.path().to_string();
        let reason = reason(&error.into_inner());
        if path == "." { reason } else { format!("parameter `{path}`: {reason}") }
    })
}
