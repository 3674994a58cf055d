//! Some columns of a table, as data or as a file.
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    arguments::{Takes, Told, Unknown, or_default},
    cell::{Cell, Row, float_text},
    distinct::Distinct,
    error::Error,
    inline,
    operation::Outcome,
    run::{Room, Run, hold, places},
};

/// `excel/extract-columns`: the cells themselves.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Data {
    #[serde(default, deserialize_with = "or_default")]
    columns: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    remove_duplicates: bool,
    include_statistics: Option<bool>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Takes for Data {
    fn tell(&self, told: &mut Told) {
        told.all("", &self.unknown);
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
    unknown: Unknown,
}

impl Takes for Extract {
    fn tell(&self, told: &mut Told) {
        told.all("", &self.unknown);
    }
}

/// One column, as far as it was read.
#[derive(Debug)]
struct Column<'a> {
    name: &'a str,
    at: usize,
    values: Vec<Value>,
    missing: u64,
    distinct: Distinct,
}

pub(crate) const HELD: &str = "the values of the columns";
pub(crate) const INSTEAD: &str = "extract them to a file instead";

// === impl Data ===

impl Data {
    pub(crate) fn run(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let limits = run.task.limits;
        let mut columns: Vec<Column<'_>> = Vec::new();
        for name in &self.columns {
            let Some(at) = table.column(name) else { continue };
            if columns.iter().all(|column| column.at != at) {
                columns.push(Column::new(name, at, limits.max_distinct));
            }
        }
        let statistics = self.include_statistics.unwrap_or(true);
        let (mut held, mut told) = (0, 0);
        let rows = run.rows(&mut table, |row, _| {
            for column in &mut columns {
                let cell = &row[column.at];
                let Some(json) = column.add(cell, self.remove_duplicates, statistics)? else {
                    continue;
                };
                hold(&mut told, json, limits.max_inline, HELD, INSTEAD)?;
                let size = size_of::<Value>() + cell.size();
                hold(&mut held, size, limits.max_held, HELD, INSTEAD)?;
            }
            Ok(())
        })?;
        let absent: Vec<_> = self.columns.iter().filter(|it| table.column(it).is_none()).collect();
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
        Ok(Outcome { file: None, rows, data, warnings, complete: true })
    }
}

// === impl Column ===

impl<'a> Column<'a> {
    fn new(name: &'a str, at: usize, most: usize) -> Self {
        Self { name, at, values: Vec::new(), missing: 0, distinct: Distinct::new(most) }
    }

    /// Take one more cell, and say how many bytes of JSON it is; `None` if it is left out.
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

/// A cell as JSON: no value is `null`, and so is what JSON has no number for.
fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Missing => Value::Null,
        Cell::Text(text) => Value::String(text.clone()),
        Cell::Int(number) => {
            i64::try_from(*number).map_or_else(|_| Value::String(number.to_string()), Value::from)
        }
        Cell::Float(number) => serde_json::Number::from_f64(*number)
            .map_or_else(|| Value::String(float_text(*number)), Value::Number),
        Cell::Bool(it) => Value::Bool(*it),
    }
}

// === impl Extract ===

impl Extract {
    pub(crate) fn run(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        let mut table = run.open()?;
        let places = places(&table, &self.columns, |absent| {
            format!("Columns not found in data: {}", absent.join(", "))
        })?;
        let mut writer = run.writer("extracted", "", &self.columns)?;
        let limits = run.task.limits;
        let mut seen = Distinct::new(limits.max_distinct);
        let mut picked = Row::new();
        run.rows(&mut table, |row, _| {
            picked.clear();
            let mut room = Room::of(&limits);
            for at in &places {
                room.push(&mut picked, &row[*at])?;
            }
            if !self.remove_duplicates || seen.insert(&picked)? {
                writer.row(&picked)?;
            }
            Ok(())
        })?;
        Ok(Outcome::of(writer.finish()?, Value::Null))
    }
}
