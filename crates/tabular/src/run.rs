//! The execution of an operation: its task, progress and clock.
use std::{
    path::Path,
    time::{Instant, SystemTime},
};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::{
    cell::Row,
    error::Error,
    output::Output,
    progress::{Meter, OnProgress},
    read::Table,
    task::Task,
    write::{CellMode, SheetStyle, TableFormat, Writer},
};

#[derive(Debug)]
pub(crate) struct Execution<'a> {
    pub(crate) task: &'a Task<'a>,
    pub(crate) meter: Meter<'a>,
    /// Notes besides the result.
    pub(crate) notes: Vec<String>,
    pub(crate) cells: CellMode,
    started: Instant,
}

/// Most bytes of a name before its kind and time: a chain of operations makes names longer.
const MAX_STEM: usize = 150;

// === impl Execution ===

impl<'a> Execution<'a> {
    pub(crate) fn new(task: &'a Task<'a>, cells: CellMode, watch: &'a mut OnProgress<'_>) -> Self {
        Self {
            task,
            meter: Meter::new(watch, 1),
            notes: Vec::new(),
            cells,
            started: Instant::now(),
        }
    }

    /// Opens the input.
    pub(crate) fn open(&mut self) -> Result<Table, Error> {
        let Task { input, sheet, limits, .. } = self.task;
        let table = Table::open(input, *sheet, limits, &mut self.meter)?;
        if sheet.is_some() && !table.is_workbook() && self.notes.is_empty() {
            self.notes
                .push("the file is a text without sheets, `sheet_name` has no effect".to_owned());
        }
        Ok(table)
    }

    pub(crate) fn open_other(&mut self, path: &Path) -> Result<Table, Error> {
        Table::open(path, None, &self.task.limits, &mut self.meter)
    }

    /// Creates the output file. `kind` is part of its name.
    pub(crate) fn output(&self, kind: &str, extension: &str) -> Result<Output, Error> {
        let most = self.task.limits.max_result;
        if let Some(name) = self.task.output {
            let (stem, extension) = name.rsplit_once('.').unwrap_or((name, extension));
            return Output::create(self.task.folder, stem.to_owned(), extension, most);
        }
        let name = self.task.name.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let mut stem: String = stem.chars().filter(|c| !c.is_control()).collect();
        stem.truncate(stem.floor_char_boundary(MAX_STEM));
        let time = civil(self.task.now).strftime("%Y%m%d_%H%M%S");
        Output::create(self.task.folder, format!("{stem}_{kind}_{time}"), extension, most)
    }

    /// Creates a table in the default format.
    pub(crate) fn writer(
        &self,
        kind: &str,
        sheet: &str,
        columns: &[String],
    ) -> Result<Writer, Error> {
        let output = self.output(kind, TableFormat::Xlsx.extension())?;
        let created = civil(self.task.now).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let look = SheetStyle::Full { sheet, created: &created };
        Writer::begin(TableFormat::Xlsx, output, columns, look, self.cells)
    }

    /// Returns the current time, on the clock of the task.
    pub(crate) fn now(&self) -> DateTime {
        civil(self.task.now + self.started.elapsed())
    }

    pub(crate) fn stamp(&self) -> String {
        self.now().strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
    }

    /// Calls `each` with every row of `table`.
    pub(crate) fn rows(
        &mut self,
        table: &mut Table,
        mut each: impl FnMut(&mut Row, &mut Meter<'_>) -> Result<(), Error>,
    ) -> Result<u64, Error> {
        let mut row = Row::new();
        let mut rows = 0;
        while table.read(&mut row, &mut self.meter)? {
            each(&mut row, &mut self.meter)?;
            rows += 1;
        }
        self.meter.end_pass();
        self.meter.advance(0.0)?;
        Ok(rows)
    }
}

fn civil(time: SystemTime) -> DateTime {
    let time = Timestamp::try_from(time).unwrap_or_default();
    time.to_zoned(TimeZone::UTC).datetime()
}

/// Returns the indexes of the columns `names`. `missing` makes the message if some do not exist.
pub(crate) fn find_columns<S: AsRef<str>>(
    table: &Table,
    names: &[S],
    missing: impl FnOnce(&[&str]) -> String,
) -> Result<Vec<usize>, Error> {
    let absent: Vec<_> =
        names.iter().map(AsRef::as_ref).filter(|name| table.column(name).is_none()).collect();
    if !absent.is_empty() {
        return Err(Error::Columns { what: missing(&absent), columns: table.columns().to_vec() });
    }
    Ok(names.iter().filter_map(|name| table.column(name.as_ref())).collect())
}
