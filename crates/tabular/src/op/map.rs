//! Columns under other names, with defaults and constants.
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    arguments::{self, Takes, Told, Unknown, or_default},
    cell::{Cell, Row},
    error::{BadArguments, Error},
    operation::Outcome,
    run::{Room, Run},
};

/// `excel/map-columns`.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    /// What each column of the result is, by its name.
    rules: IndexMap<String, Rule>,
}

#[derive(Clone, Debug, Default)]
struct Rule {
    source: Option<String>,
    default: Option<Cell>,
}

#[derive(Deserialize)]
struct Arguments {
    #[serde(default, deserialize_with = "or_default")]
    mapping: IndexMap<String, Value>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Takes for Arguments {
    fn tell(&self, told: &mut Told) {
        told.all("", &self.unknown);
    }
}

/// A rule, where the columns are known.
#[derive(Debug)]
enum Filled {
    Copy(usize),
    /// With what an empty cell becomes.
    OrElse(usize, Cell),
    Always(Cell),
}

// === impl Map ===

impl Map {
    pub(crate) fn parse(arguments: &str, told: &mut Told) -> Result<Self, BadArguments> {
        let Arguments { mapping, .. } = arguments::read(arguments, told)?;
        let rules = mapping.into_iter().map(|(target, value)| {
            let rule = Rule::parse(&target, value, told)?;
            Ok((target, rule))
        });
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    pub(crate) fn run(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let columns: Vec<_> = self.rules.keys().cloned().collect();
        let mut warnings = Vec::new();
        let filled: Vec<_> = self
            .rules
            .iter()
            .map(|(target, rule)| {
                let source = rule.source.as_deref();
                let at = source.and_then(|source| table.column(source));
                if let (Some(source), None) = (source, at) {
                    warnings.push(format!("there is no column '{source}' for '{target}'"));
                }
                match (at, rule.default.clone()) {
                    (Some(at), None) => Filled::Copy(at),
                    (Some(at), Some(default)) => Filled::OrElse(at, default),
                    (None, default) => Filled::Always(default.unwrap_or(Cell::Missing)),
                }
            })
            .collect();
        let mut writer = run.writer("mapped", "", &columns)?;
        let limits = run.task.limits;
        let mut mapped = Row::new();
        run.rows(&mut table, |row, _| {
            // A table without columns has no rows.
            if filled.is_empty() {
                return Ok(());
            }
            mapped.clear();
            let mut room = Room::of(&limits);
            for rule in &filled {
                let cell = match rule {
                    Filled::OrElse(at, default) if row[*at].is_empty() => default,
                    Filled::Copy(at) | Filled::OrElse(at, _) => &row[*at],
                    Filled::Always(cell) => cell,
                };
                room.push(&mut mapped, cell)?;
            }
            writer.row(&mapped)
        })?;
        let mut outcome = Outcome::of(writer.finish()?, Value::Null);
        outcome.warnings.extend(warnings);
        Ok(outcome)
    }
}

// === impl Rule ===

impl Rule {
    fn parse(target: &str, value: Value, told: &mut Told) -> Result<Self, BadArguments> {
        let wrong = |member: &str, why: &str| {
            let (argument, why) = (format!("mapping.{target}{member}"), why.to_owned());
            Err(BadArguments::Wrong { argument, why })
        };
        let mut rule = Self::default();
        match value {
            Value::String(source) => rule.source = Some(source),
            Value::Object(mut members) => {
                match members.remove("source") {
                    None | Some(Value::Null) => {}
                    Some(Value::String(source)) => rule.source = Some(source),
                    Some(_) => return wrong(".source", "must be the name of a column"),
                }
                rule.default = match members.remove("default") {
                    None | Some(Value::Null) => None,
                    Some(Value::String(text)) => Some(Cell::Text(text)),
                    Some(Value::Bool(it)) => Some(Cell::Bool(it)),
                    Some(Value::Number(number)) => Some(match number.as_i128() {
                        Some(number) => Cell::Int(number),
                        None => Cell::Float(number.as_f64().unwrap_or(f64::NAN)),
                    }),
                    Some(_) => {
                        return wrong(".default", "must be a text, a number, or a boolean");
                    }
                };
                members.keys().for_each(|name| told.unknown(&format!("mapping.{target}.{name}")));
            }
            Value::Null => {}
            _ => {
                let why = "must be the name of a column, or an object with `source` and `default`";
                return wrong("", why);
            }
        }
        Ok(rule)
    }
}
