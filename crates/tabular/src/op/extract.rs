//! Extracts columns of a table, as data or as a file.
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    arguments::{Notes, ReportUnknown, UnknownMembers, or_default},
    budget::{ResultBudget, charge},
    cell::{Cell, Row, float_text},
    distinct::Distinct,
    error::{Error, VALUES_HELD},
    inline,
    run::{Execution, find_columns},
    task::Outcome,
};

/// `excel/extract-columns`: returns the cells as data.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Data {
    #[serde(default, deserialize_with = "or_default")]
    columns: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    remove_duplicates: bool,
    include_statistics: Option<bool>,
    #[serde(flatten)]
    unknown: UnknownMembers,
}

impl ReportUnknown for Data {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("", &self.unknown);
    }
}

/// `excel/extract-columns-to-file`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Extract {
    #[serde(default, deserialize_with = "or_default")]
    columns: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    remove_duplicates: bool,
    #[serde(flatten)]
    unknown: UnknownMembers,
}

impl ReportUnknown for Extract {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("", &self.unknown);
    }
}

/// An extracted column, as far as it was read.
#[derive(Debug)]
struct ExtractedColumn<'a> {
    name: &'a str,
    at: usize,
    values: Vec<Value>,
    missing: u64,
    distinct: Distinct,
}

pub(crate) const VALUES_ADVICE: &str = "extract them to a file instead";

// === impl Data ===

impl Data {
    pub(crate) fn run(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let limits = run.task.limits;
        let mut columns: Vec<ExtractedColumn<'_>> = Vec::new();
        for name in &self.columns {
            let Some(at) = table.column(name) else { continue };
            if columns.iter().all(|column| column.at != at) {
                columns.push(ExtractedColumn::new(name, at, limits.max_distinct));
            }
        }
        let statistics = self.include_statistics.unwrap_or(true);
        let (mut held, mut inline) = (0, 0);
        let rows = run.rows(&mut table, |row, _| {
            for column in &mut columns {
                let cell = &row[column.at];
                let Some(json) = column.add(cell, self.remove_duplicates, statistics)? else {
                    continue;
                };
                charge(&mut inline, json, limits.max_inline, VALUES_HELD, VALUES_ADVICE)?;
                let size = size_of::<Value>() + cell.size();
                charge(&mut held, size, limits.max_held, VALUES_HELD, VALUES_ADVICE)?;
            }
            Ok(())
        })?;
        let absent: Vec<_> =
            self.columns.iter().filter(|name| table.column(name).is_none()).collect();
        let warnings = absent.iter().map(|name| format!("there is no column '{name}'")).collect();
        let mut data: Map<_, _> = Map::new();
        for column in columns {
            data.insert(column.name.to_owned(), column.describe(rows, statistics));
        }
        let data = json!({
            "extraction_info": {
                "total_rows": rows,
                "extracted_columns": self.columns,
                "missing_columns": absent,
                "remove_duplicates": self.remove_duplicates,
                "timestamp": run.stamp(),
            },
            "columns": data,
        });
        Ok(Outcome::new(rows, data, warnings))
    }
}

// === impl ExtractedColumn ===

impl<'a> ExtractedColumn<'a> {
    fn new(name: &'a str, at: usize, most: usize) -> Self {
        Self { name, at, values: Vec::new(), missing: 0, distinct: Distinct::new(most) }
    }

    /// Adds a cell, and returns its size as JSON; `None` if it is left out.
    fn add(&mut self, cell: &Cell, once: bool, statistics: bool) -> Result<Option<usize>, Error> {
        let missing = cell.is_missing();
        self.missing += u64::from(missing);
        let new = (once || statistics) && !missing && self.distinct.insert(cell)?;
        if once && !new {
            return Ok(None);
        }
        let value = value(cell);
        let size = inline::size(&value) + 1;
        self.values.push(value);
        Ok(Some(size))
    }

    fn describe(self, rows: u64, statistics: bool) -> Value {
        let mut described = json!({ "value_count": self.values.len(), "values": self.values });
        if statistics {
            described["total_count"] = rows.into();
            described["non_null_count"] = (rows - self.missing).into();
            described["null_count"] = self.missing.into();
            described["unique_count"] = self.distinct.len().into();
            described["data_type"] = "str".into();
        }
        described
    }
}

/// Converts a cell to JSON. A missing cell is `null`; numbers that JSON lacks are texts.
fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Missing => Value::Null,
        Cell::Text(text) => Value::String(text.clone()),
        Cell::Int(number) => {
            i64::try_from(*number).map_or_else(|_| Value::String(number.to_string()), Value::from)
        }
        Cell::Float(number) => serde_json::Number::from_f64(*number)
            .map_or_else(|| Value::String(float_text(*number)), Value::Number),
        Cell::Bool(value) => Value::Bool(*value),
    }
}

// === impl Extract ===

impl Extract {
    pub(crate) fn run(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let indexes = find_columns(&table, &self.columns, |absent| {
            format!("Columns not found in data: {}", absent.join(", "))
        })?;
        let mut writer = run.writer("extracted", "", &self.columns)?;
        let limits = run.task.limits;
        let mut seen = Distinct::new(limits.max_distinct);
        let mut picked = Row::new();
        run.rows(&mut table, |row, _| {
            picked.clear();
            let mut budget = ResultBudget::new(&limits);
            for at in &indexes {
                budget.push(&mut picked, &row[*at])?;
            }
            if !self.remove_duplicates || seen.insert(&picked)? {
                writer.row(&picked)?;
            }
            Ok(())
        })?;
        Ok(Outcome::of(writer.finish(&mut run.meter)?, Value::Null))
    }
}
