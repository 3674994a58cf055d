//! One operation while it runs: its task, its progress, its clock.
use std::{
    path::Path,
    time::{Instant, SystemTime},
};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::{
    cell::{Cell, Row},
    error::{Error, TooMuch},
    limits::Limits,
    operation::{Outcome, Task},
    output::Output,
    progress::{Meter, Watch},
    read::Table,
    write::{Format, Look, Writer, Written},
};

#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) task: &'a Task<'a>,
    pub(crate) meter: Meter<'a>,
    /// What is to be said besides the result.
    pub(crate) told: Vec<String>,
    started: Instant,
}

/// Bytes of a name before its kind and time; a chain of operations makes names longer and longer.
const MAX_STEM: usize = 150;

// === impl Run ===

impl<'a> Run<'a> {
    pub(crate) fn new(task: &'a Task<'a>, watch: &'a mut Watch<'_>) -> Self {
        Self { task, meter: Meter::new(watch, 1), told: Vec::new(), started: Instant::now() }
    }

    /// The input, from its beginning.
    pub(crate) fn open(&mut self) -> Result<Table, Error> {
        let Task { input, sheet, limits, .. } = self.task;
        let table = Table::open(input, *sheet, limits, &mut self.meter)?;
        if sheet.is_some() && !table.is_workbook() && self.told.is_empty() {
            self.told
                .push("the file is a text without sheets, `sheet_name` has no effect".to_owned());
        }
        Ok(table)
    }

    pub(crate) fn open_other(&mut self, path: &Path) -> Result<Table, Error> {
        Table::open(path, None, &self.task.limits, &mut self.meter)
    }

    /// The file that the operation leaves. `kind` says in its name what was done.
    pub(crate) fn output(&self, kind: &str, extension: &str) -> Result<Output, Error> {
        let most = self.task.limits.max_result;
        if let Some(name) = self.task.output {
            let (stem, extension) = name.rsplit_once('.').unwrap_or((name, extension));
            return Output::create(self.task.folder, stem.to_owned(), extension, most);
        }
        let name = self.task.name.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let mut stem: String = stem.chars().filter(|it| !it.is_control()).collect();
        stem.truncate(stem.floor_char_boundary(MAX_STEM));
        let time = civil(self.task.now).strftime("%Y%m%d_%H%M%S");
        Output::create(self.task.folder, format!("{stem}_{kind}_{time}"), extension, most)
    }

    /// A table to be written as the operations do that are not asked for a format.
    pub(crate) fn writer(
        &self,
        kind: &str,
        sheet: &str,
        columns: &[String],
    ) -> Result<Writer, Error> {
        let output = self.output(kind, Format::Xlsx.extension())?;
        let created = civil(self.task.now).strftime("%Y-%m-%d %H:%M:%S").to_string();
        Writer::begin(Format::Xlsx, output, columns, Look::Full { sheet, created: &created })
    }

    /// What time it is now, as far as clients shall know.
    pub(crate) fn now(&self) -> DateTime {
        civil(self.task.now + self.started.elapsed())
    }

    pub(crate) fn stamp(&self) -> String {
        self.now().strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
    }

    /// Give every row of `table` to `each`.
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
        self.meter.tell(0.0)?;
        Ok(rows)
    }
}

fn civil(time: SystemTime) -> DateTime {
    let time = Timestamp::try_from(time).unwrap_or_default();
    time.to_zoned(TimeZone::UTC).datetime()
}

/// Account for `size` more bytes of `what`.
pub(crate) fn hold(
    held: &mut usize,
    size: usize,
    most: usize,
    what: &'static str,
    instead: &'static str,
) -> Result<(), TooMuch> {
    *held = held.saturating_add(size);
    if *held > most { Err(TooMuch::Held { what, most, instead }) } else { Ok(()) }
}

// === impl Outcome ===

impl Outcome {
    pub(crate) fn of(written: Written, data: serde_json::Value) -> Self {
        let Written { path, rows, warnings } = written;
        Self { file: Some(path), rows, data, warnings, complete: true }
    }
}

/// Bytes that it may still take to make one row of the result.
#[derive(Debug)]
pub(crate) struct Room {
    left: usize,
    most: usize,
}

impl Room {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self { left: limits.max_made, most: limits.max_made }
    }

    pub(crate) fn take(&mut self, size: usize) -> Result<(), TooMuch> {
        self.left = self.left.checked_sub(size).ok_or(TooMuch::Made { most: self.most })?;
        Ok(())
    }

    /// Whether there is so much, which is not taken.
    pub(crate) fn fits(&self, size: usize) -> Result<(), TooMuch> {
        if size > self.left { Err(TooMuch::Made { most: self.most }) } else { Ok(()) }
    }

    /// One more cell of the row.
    pub(crate) fn push(&mut self, row: &mut Row, cell: &Cell) -> Result<(), TooMuch> {
        self.take(cell.size())?;
        row.push(cell.clone());
        Ok(())
    }
}

/// Where the columns `names` are. `missing` says what is wrong if some are not there.
pub(crate) fn places<S: AsRef<str>>(
    table: &Table,
    names: &[S],
    missing: impl FnOnce(&[&str]) -> String,
) -> Result<Vec<usize>, Error> {
    let absent: Vec<_> =
        names.iter().map(AsRef::as_ref).filter(|it| table.column(it).is_none()).collect();
    if !absent.is_empty() {
        return Err(Error::Columns { what: missing(&absent), columns: table.columns().to_vec() });
    }
    Ok(names.iter().filter_map(|name| table.column(name.as_ref())).collect())
}
