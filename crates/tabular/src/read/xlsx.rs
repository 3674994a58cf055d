//! Rows of one sheet of a workbook.
//!
//! The parts of the file are read as a stream, twice: to find what the sheet spans, and for the rows.
//! Whole numbers never pass through a double, which would round those of more than 15 digits.
use std::{path::Path, rc::Rc};

use crate::{
    cell::{Cell, Row},
    error::{Error, TooMuch, Unreadable},
    limits::Limits,
    progress::Meter,
};

mod package;
mod place;
mod serial;
mod sheet;
mod styles;
mod text;
mod value;
mod workbook;
mod xml;

use package::Package;
use sheet::{Cells, Sheet};

#[derive(Debug)]
pub(super) struct Rows {
    sheet: Sheet,
    /// The row after the one that was read last, and its number.
    ahead: Option<(u64, Cells)>,
    next: u64,
    span: Span,
    sheets: Vec<String>,
}

/// What a sheet uses: the cells that are not empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    rows: u64,
    columns: u64,
}

/// A new error about a workbook that is not as it must be.
fn broken(why: impl std::fmt::Display) -> Error {
    Unreadable::Workbook(why.to_string()).into()
}

// === impl Rows ===

impl Rows {
    pub(super) fn open(
        path: &Path,
        sheet: Option<&str>,
        limits: &Limits,
        meter: &mut Meter<'_>,
    ) -> Result<(Vec<String>, Self), Error> {
        let mut package = Package::open(path, limits.max_unzipped)?;
        let mut workbook = workbook::read(&mut package, sheet)?;
        let styles = Rc::new(styles::read(&mut package, &workbook)?);
        let texts = Rc::new(text::shared(&mut package, &workbook, limits)?);
        let mut open =
            || Sheet::open(&mut package, &workbook, Rc::clone(&styles), Rc::clone(&texts), limits);
        let mut sheet = open()?;
        if let Some((rows, columns)) = sheet.declared() {
            Span { rows, columns }.check(limits)?;
        }
        let span = Span::of(&mut sheet, limits, meter)?;
        let mut rows = Self { sheet: open()?, ahead: None, next: 0, span, sheets: Vec::new() };
        rows.ahead = rows.sheet.row()?;
        rows.sheets = std::mem::take(&mut workbook.sheets);
        let mut header = Row::new();
        rows.read(&mut header)?;
        let header = header.iter().map(|cell| cell.text().unwrap_or_default().into_owned());
        Ok((header.collect(), rows))
    }

    /// The names of all sheets of the workbook.
    pub(super) fn take_sheets(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sheets)
    }

    pub(super) fn read(&mut self, row: &mut Row) -> Result<bool, Error> {
        if self.next >= self.span.rows {
            return Ok(false);
        }
        let columns = usize::try_from(self.span.columns).unwrap_or(usize::MAX);
        row.resize(columns, Cell::EMPTY);
        if let Some((at, cells)) = &mut self.ahead
            && *at == self.next
        {
            for (column, cell) in cells.drain(..).filter(|(column, _)| *column < columns) {
                row[column] = cell;
            }
            self.ahead = self.sheet.row()?;
        }
        self.next += 1;
        Ok(true)
    }

    #[expect(clippy::cast_precision_loss, reason = "it is a part")]
    pub(super) fn part(&self) -> f64 {
        0.5 + self.next as f64 / self.span.rows.max(1) as f64 / 2.0
    }
}

// === impl Span ===

impl Span {
    fn of(sheet: &mut Sheet, limits: &Limits, meter: &mut Meter<'_>) -> Result<Self, Error> {
        let mut span = Self::default();
        let mut read: u64 = 0;
        while let Some((at, cells)) = sheet.row()? {
            let used = cells.iter().filter(|(_, cell)| cell.is_missing() || !cell.is_empty());
            if let Some(last) = used.map(|(column, _)| *column as u64).max() {
                span.rows = span.rows.max(at + 1);
                span.columns = span.columns.max(last + 1);
            }
            read += 1;
            if read.is_multiple_of(crate::progress::EVERY) {
                meter.tell(sheet.part() / 2.0)?;
            }
        }
        span.check(limits)?;
        if span.columns > limits.max_columns as u64 {
            let found = usize::try_from(span.columns).unwrap_or(usize::MAX);
            return Err(TooMuch::Columns { found, most: limits.max_columns }.into());
        }
        Ok(span)
    }

    fn check(self, limits: &Limits) -> Result<(), TooMuch> {
        let Self { rows, columns } = self;
        let most = limits.max_cells;
        if rows.saturating_mul(columns) > most {
            return Err(TooMuch::Cells { rows, columns, most });
        }
        Ok(())
    }
}
