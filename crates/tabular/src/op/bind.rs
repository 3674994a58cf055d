//! Adds columns of a second table to the rows with the same keys.
use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::json;

use crate::{
    arguments::{self, Notes, ReportUnknown, UnknownMembers, or_default},
    budget::charge,
    cell::{Cell, Row},
    distinct::{Fingerprint, Fingerprinter},
    error::{BadArguments, Error, TooMuch, Unreadable, list},
    read::Table,
    run::{Execution, find_columns},
    task::Outcome,
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
    unknown: UnknownMembers,
}

impl ReportUnknown for Single {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("", &self.unknown);
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
    unknown: UnknownMembers,
}

impl ReportUnknown for Multi {
    fn report_unknown(&self, notes: &mut Notes) {
        notes.unknown_members("", &self.unknown);
    }
}

/// The second table, by key.
#[derive(Debug)]
struct Bound {
    rows: u64,
    repeated: u64,
    prints: Fingerprinter,
    cells: HashMap<Fingerprint, Box<[Cell]>>,
}

const MISSING_FILE: BadArguments = BadArguments::Missing {
    argument: "bind_file",
    hint: "name the file whose columns are to be added",
};

// === impl Bind ===

impl Bind {
    pub(crate) fn single(arguments: &str, notes: &mut Notes) -> Result<Self, BadArguments> {
        let Single { bind_file, comparison_column, bind_columns, .. } =
            arguments::read(arguments, notes)?;
        let key = comparison_column.ok_or(BadArguments::Missing {
            argument: "comparison_column",
            hint: "name the column that both files have",
        })?;
        Self::new(bind_file, vec![key], bind_columns, true)
    }

    pub(crate) fn multi(arguments: &str, notes: &mut Notes) -> Result<Self, BadArguments> {
        let Multi { bind_file, comparison_columns, bind_columns, .. } =
            arguments::read(arguments, notes)?;
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
                let reason = format!("'{column}' is named twice, or is a comparison column");
                return Err(BadArguments::Wrong { argument, reason });
            }
        }
        Ok(Self { file: file.ok_or(MISSING_FILE)?, keys, columns, single })
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    pub(crate) fn run(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
        let prefix =
            if self.single { "Single-key binding failed: " } else { "Multi-key binding failed: " };
        match self.bind(run) {
            Err(error @ (Error::Columns { .. } | Error::Refused(_))) => Err(error),
            result => result.map_err(Error::within(prefix)),
        }
    }

    fn bind(&self, run: &mut Execution<'_>) -> Result<Outcome, Error> {
        run.meter.expect(2);
        let mut table = run.open()?;
        let path = run.task.bind_file.ok_or_else(|| Unreadable::Absent(self.file.clone()))?;
        let mut other = run.open_other(path)?;
        let own = self.key_columns(&table, "source")?;
        let theirs = self.key_columns(&other, "bind")?;
        let bound = find_columns(&other, &self.columns, |absent| {
            format!("Bind columns not found in bind file: {}", list(absent))
        })?;
        let both: Vec<_> =
            self.columns.iter().filter(|name| table.column(name).is_some()).collect();
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
            // A row whose first new cell is missing counts as unmatched.
            matched += u64::from(
                cells.is_some_and(|row| row.first().is_some_and(|cell| !cell.is_missing())),
            );
            match cells {
                Some(cells) => row.extend(cells.iter().cloned()),
                None => row.resize(columns.len(), Cell::Missing),
            }
            writer.row(row)
        })?;
        let data = self.describe(&bound, rows, matched);
        Ok(Outcome::of(writer.finish(&mut run.meter)?, data))
    }

    fn key_columns(&self, table: &Table, file: &str) -> Result<Vec<usize>, Error> {
        find_columns(table, &self.keys, |absent| match (self.single, absent) {
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
    /// Reads the whole `table`, and keeps `columns` of the first row of each key.
    fn read(
        run: &mut Execution<'_>,
        table: &mut Table,
        keys: &[usize],
        columns: &[usize],
    ) -> Result<Self, Error> {
        let limits = run.task.limits;
        let mut bound =
            Self { rows: 0, repeated: 0, prints: Fingerprinter::default(), cells: HashMap::new() };
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
            let size = size_of::<Fingerprint>() + cells.iter().map(Cell::size).sum::<usize>();
            let (what, instead) = ("the columns of the bind file", "bind fewer columns at once");
            charge(&mut held, size, limits.max_held, what, instead)?;
            bound.cells.insert(key, cells);
            Ok(())
        })?;
        bound.rows = rows;
        Ok(bound)
    }

    fn key(&self, row: &Row, keys: &[usize]) -> Fingerprint {
        let key: Vec<_> = keys.iter().map(|at| &row[*at]).collect();
        self.prints.of(&key)
    }
}
