//! Columns of a second table, for the rows whose keys are the same.
use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::json;

use crate::{
    arguments::{self, Takes, Told, Unknown, or_default},
    cell::{Cell, Row},
    distinct::{Print, Prints},
    error::{BadArguments, Error, TooMuch, Unreadable, list},
    operation::Outcome,
    read::Table,
    run::{Run, hold, places},
};

/// `excel/bind-single-key` and `excel/bind-multi-key`.
#[derive(Clone, Debug)]
pub(crate) struct Bind {
    file: String,
    keys: Vec<String>,
    columns: Vec<String>,
    single: bool,
}

#[derive(Deserialize)]
struct Single {
    bind_file: Option<String>,
    comparison_column: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    bind_columns: Vec<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Takes for Single {
    fn tell(&self, told: &mut Told) {
        told.all("", &self.unknown);
    }
}

#[derive(Deserialize)]
struct Multi {
    bind_file: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    comparison_columns: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    bind_columns: Vec<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Takes for Multi {
    fn tell(&self, told: &mut Told) {
        told.all("", &self.unknown);
    }
}

/// The second table.
#[derive(Debug)]
struct Bound {
    rows: u64,
    repeated: u64,
    prints: Prints,
    cells: HashMap<Print, Box<[Cell]>>,
}

const FILE: BadArguments = BadArguments::Missing {
    argument: "bind_file",
    hint: "name the file whose columns are to be added",
};

// === impl Bind ===

impl Bind {
    pub(crate) fn single(arguments: &str, told: &mut Told) -> Result<Self, BadArguments> {
        let Single { bind_file, comparison_column, bind_columns, .. } =
            arguments::read(arguments, told)?;
        let key = comparison_column.ok_or(BadArguments::Missing {
            argument: "comparison_column",
            hint: "name the column that both files have",
        })?;
        Self::new(bind_file, vec![key], bind_columns, true)
    }

    pub(crate) fn multi(arguments: &str, told: &mut Told) -> Result<Self, BadArguments> {
        let Multi { bind_file, comparison_columns, bind_columns, .. } =
            arguments::read(arguments, told)?;
        if comparison_columns.is_empty() {
            let what = "At least one comparison column must be specified";
            return Err(BadArguments::Refused(what.to_owned()));
        }
        Self::new(bind_file, comparison_columns, bind_columns, false)
    }

    fn new(
        file: Option<String>,
        keys: Vec<String>,
        columns: Vec<String>,
        single: bool,
    ) -> Result<Self, BadArguments> {
        let mut seen: HashSet<&str> = keys.iter().map(String::as_str).collect();
        for (at, column) in columns.iter().enumerate() {
            if !seen.insert(column) {
                let argument = format!("bind_columns[{at}]");
                let why = format!("'{column}' is named twice, or is a comparison column");
                return Err(BadArguments::Wrong { argument, why });
            }
        }
        Ok(Self { file: file.ok_or(FILE)?, keys, columns, single })
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    pub(crate) fn run(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        let prefix =
            if self.single { "Single-key binding failed: " } else { "Multi-key binding failed: " };
        match self.bind(run) {
            Err(error @ (Error::Columns { .. } | Error::Refused(_))) => Err(error),
            result => result.map_err(Error::within(prefix)),
        }
    }

    fn bind(&self, run: &mut Run<'_>) -> Result<Outcome, Error> {
        run.meter.expect(2);
        let mut table = run.open()?;
        let path = run.task.bind_file.ok_or_else(|| Unreadable::Absent(self.file.clone()))?;
        let mut other = run.open_other(path)?;
        let own = self.keys_of(&table, "source")?;
        let theirs = self.keys_of(&other, "bind")?;
        let bound = places(&other, &self.columns, |absent| {
            format!("Bind columns not found in bind file: {}", list(absent))
        })?;
        let both: Vec<_> = self.columns.iter().filter(|it| table.column(it).is_some()).collect();
        if !both.is_empty() {
            let both = list(&both);
            return Err(Error::Refused(format!(
                "Bind columns already exist in source file: {both}. \
                 This would overwrite existing data."
            )));
        }
        let bound = Bound::read(run, &mut other, &theirs, &bound)?;
        let columns: Vec<_> = table.columns().iter().chain(&self.columns).cloned().collect();
        let mut writer = run.writer("bound", "", &columns)?;
        let mut matched = 0;
        let rows = run.rows(&mut table, |row, _| {
            let cells = bound.cells.get(&bound.key(row, &own));
            // A row whose first new cell has no value counts as one without a match.
            matched +=
                u64::from(cells.is_some_and(|it| it.first().is_some_and(|it| !it.is_missing())));
            match cells {
                Some(cells) => row.extend(cells.iter().cloned()),
                None => row.resize(columns.len(), Cell::Missing),
            }
            writer.row(row)
        })?;
        let data = self.describe(&bound, rows, matched);
        Ok(Outcome::of(writer.finish()?, data))
    }

    fn keys_of(&self, table: &Table, file: &str) -> Result<Vec<usize>, Error> {
        places(table, &self.keys, |absent| match (self.single, absent) {
            (true, [key, ..]) => format!("Comparison column '{key}' not found in {file} file"),
            _ => format!("Comparison columns not found in {file} file: {}", list(absent)),
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "a percentage of two places")]
    fn describe(&self, bound: &Bound, rows: u64, matched: u64) -> serde_json::Value {
        let percent = if rows == 0 { 0.0 } else { matched as f64 / rows as f64 * 100.0 };
        let keys = if self.single { json!(self.keys[0]) } else { json!(self.keys) };
        let name = if self.single { "comparison_column" } else { "comparison_columns" };
        json!({
            "source_rows": rows,
            "bind_rows": bound.rows,
            "matched_rows": matched,
            "unmatched_rows": rows - matched,
            "columns_bound": self.columns.len(),
            "statistics": {
                name: keys,
                "bind_columns": self.columns,
                "unique_keys_in_bind": bound.cells.len(),
                "duplicate_keys_removed": bound.repeated,
                "match_percentage": (percent * 100.0).round() / 100.0,
            },
        })
    }
}

// === impl Bound ===

impl Bound {
    /// Read all of `table`, keeping `columns` of the first row of each key.
    fn read(
        run: &mut Run<'_>,
        table: &mut Table,
        keys: &[usize],
        columns: &[usize],
    ) -> Result<Self, Error> {
        let limits = run.task.limits;
        let mut bound =
            Self { rows: 0, repeated: 0, prints: Prints::default(), cells: HashMap::new() };
        let mut held = 0;
        let rows = run.rows(table, |row, _| {
            let key = bound.key(row, keys);
            if bound.cells.contains_key(&key) {
                bound.repeated += 1;
                return Ok(());
            }
            if bound.cells.len() >= limits.max_distinct {
                return Err(TooMuch::Distinct { most: limits.max_distinct }.into());
            }
            let cells: Box<[Cell]> = columns.iter().map(|at| row[*at].clone()).collect();
            let size = size_of::<Print>() + cells.iter().map(Cell::size).sum::<usize>();
            let (what, instead) = ("the columns of the bind file", "bind fewer columns at once");
            hold(&mut held, size, limits.max_held, what, instead)?;
            bound.cells.insert(key, cells);
            Ok(())
        })?;
        bound.rows = rows;
        Ok(bound)
    }

    fn key(&self, row: &Row, keys: &[usize]) -> Print {
        let key: Vec<_> = keys.iter().map(|at| &row[*at]).collect();
        self.prints.of(&key)
    }
}
