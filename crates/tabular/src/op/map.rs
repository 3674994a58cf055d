//! Renames columns, with defaults and constants.
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    arguments::{self, Notes, ReportUnknown, UnknownMembers, or_default},
    budget::ResultBudget,
    cell::{Cell, Row},
    error::{BadArguments, Error},
    run::Execution,
    task::Outcome,
};

/// `excel/map-columns`.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    /// Rules for the columns of the result, by their names.
    rules: IndexMap<String, ColumnRule>,
}

#[derive(Clone, Debug, Default)]
struct ColumnRule {
    source: Option<String>,
    default: Option<Cell>,
}

#[derive(Deserialize)]
struct MapArguments {
    #[serde(default, deserialize_with = "or_default")]
    mapping: IndexMap<String, Value>,
    #[serde(flatten)]
    unknown: UnknownMembers,
}

impl ReportUnknown for MapArguments {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("", &self.unknown);
    }
}

/// A rule with a resolved column.
#[derive(Debug)]
enum Filled {
    Copy(usize),
    /// The default for an empty cell.
    OrElse(usize, Cell),
    Always(Cell),
}

// === impl Map ===

impl Map {
    pub(crate) fn parse(arguments: &str, notes: &mut Notes) -> Result<Self, BadArguments> {
        let MapArguments { mapping, .. } = arguments::read(arguments, notes)?;
        let rules = mapping.into_iter().map(|(target, value)| {
            let rule = ColumnRule::parse(&target, value, notes)?;
            Ok((target, rule))
        });
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    pub(crate) fn run(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
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
            let mut budget = ResultBudget::new(&limits);
            for rule in &filled {
                let cell = match rule {
                    Filled::OrElse(at, default) if row[*at].is_empty() => default,
                    Filled::Copy(at) | Filled::OrElse(at, _) => &row[*at],
                    Filled::Always(cell) => cell,
                };
                budget.push(&mut mapped, cell)?;
            }
            writer.row(&mapped)
        })?;
        let mut outcome = Outcome::of(writer.finish(&mut run.meter)?, Value::Null);
        outcome.warnings.extend(warnings);
        Ok(outcome)
    }
}

// === impl ColumnRule ===

impl ColumnRule {
    fn parse(target: &str, value: Value, notes: &mut Notes) -> Result<Self, BadArguments> {
        let wrong = |member: &str, reason: &str| {
            let (argument, reason) = (format!("mapping.{target}{member}"), reason.to_owned());
            Err(BadArguments::Wrong { argument, reason })
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
                    Some(Value::Bool(value)) => Some(Cell::Bool(value)),
                    Some(Value::Number(number)) => Some(match number.as_i128() {
                        Some(number) => Cell::Int(number),
                        None => Cell::Float(number.as_f64().unwrap_or(f64::NAN)),
                    }),
                    Some(_) => {
                        return wrong(".default", "must be a text, a number, or a boolean");
                    }
                };
                members.keys().for_each(|name| notes.unknown(&format!("mapping.{target}.{name}")));
            }
            Value::Null => {}
            _ => {
                let reason =
                    "must be the name of a column, or an object with `source` and `default`";
                return wrong("", reason);
            }
        }
        Ok(rule)
    }
}
