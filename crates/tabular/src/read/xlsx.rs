//! Rows of one sheet of a workbook.
//!
//! The parts of the file are streamed, twice: to find the span of the sheet, and for the rows.
//! Integers never pass through a double, which would round those of more than 15 digits.
use std::{
    collections::{BTreeMap, btree_map},
    path::Path,
    rc::Rc,
};

use crate::{
    budget::charge,
    cell::{Cell, Row},
    error::{Error, TooMuch},
    limits::Limits,
    progress::Meter,
};

mod package;
mod reference;
mod serial;
mod sheet;
mod space;
mod styles;
mod text;
mod value;
mod workbook;
mod xml;

use package::Package;
use sheet::{RowCells, Sheet};

#[derive(Debug)]
pub(super) struct Rows {
    source: RowSource,
    /// The next row and its number.
    ahead: Option<(u64, RowCells)>,
    next: u64,
    span: Span,
    sheets: Vec<String>,
    max_row: usize,
}

/// Source of the rows, in the order of their numbers.
#[derive(Debug)]
enum RowSource {
    Sheet(Box<Sheet>),
    /// All rows in memory, for a sheet that has them in another order.
    Sorted(btree_map::IntoIter<u64, RowCells>),
}

/// Used area of a sheet: the cells that are not empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    rows: u64,
    columns: u64,
    /// Whether rows are out of order.
    jumbled: bool,
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
        let mut workbook = workbook::read(&mut package, sheet, meter)?;
        let styles = Rc::new(styles::read(&mut package, &workbook, meter)?);
        let texts = Rc::new(text::shared(&mut package, &workbook, limits, meter)?);
        let mut open = |meter: &mut Meter<'_>| {
            let (styles, texts) = (Rc::clone(&styles), Rc::clone(&texts));
            Sheet::open(&mut package, &workbook, styles, texts, limits, meter)
        };
        let span = Span::of(&mut open(meter)?, limits, meter)?;
        let sheet = open(meter)?;
        let source = if span.jumbled {
            RowSource::Sorted(sorted(sheet, limits, meter)?.into_iter())
        } else {
            RowSource::Sheet(Box::new(sheet))
        };
        let (sheets, max_row) = (std::mem::take(&mut workbook.sheets), limits.max_row);
        let mut rows = Self { source, ahead: None, next: 0, span, sheets, max_row };
        rows.ahead = rows.source.row(meter)?;
        let mut header = Row::new();
        rows.read(&mut header, meter)?;
        let header = header.iter().map(|cell| cell.text().unwrap_or_default().into_owned());
        Ok((header.collect(), rows))
    }

    /// Returns the names of all sheets.
    pub(super) fn take_sheets(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sheets)
    }

    pub(super) fn read(&mut self, row: &mut Row, meter: &mut Meter<'_>) -> Result<bool, Error> {
        if self.next >= self.span.rows {
            return Ok(false);
        }
        let columns = usize::try_from(self.span.columns).unwrap_or(usize::MAX);
        row.resize(columns, Cell::EMPTY);
        let mut bytes = 0;
        while let Some((at, cells)) = &mut self.ahead
            && *at == self.next
        {
            for (column, cell) in cells.drain(..).filter(|(column, _)| *column < columns) {
                bytes += cell.len();
                row[column] = cell;
            }
            if bytes > self.max_row {
                return Err(TooMuch::Row { row: self.next + 1, most: self.max_row }.into());
            }
            self.ahead = self.source.row(meter)?;
        }
        self.next += 1;
        Ok(true)
    }

    #[expect(clippy::cast_precision_loss, reason = "it is a part")]
    pub(super) fn part(&self) -> f64 {
        0.5 + self.next as f64 / self.span.rows.max(1) as f64 / 2.0
    }
}

// === impl RowSource ===

impl RowSource {
    fn row(&mut self, meter: &mut Meter<'_>) -> Result<Option<(u64, RowCells)>, Error> {
        match self {
            Self::Sheet(sheet) => sheet.row(meter),
            Self::Sorted(rows) => Ok(rows.next()),
        }
    }
}

/// Reads all rows, and merges those of one number.
fn sorted(
    mut sheet: Sheet,
    limits: &Limits,
    meter: &mut Meter<'_>,
) -> Result<BTreeMap<u64, RowCells>, Error> {
    let mut rows: BTreeMap<u64, RowCells> = BTreeMap::new();
    let mut held = 0;
    while let Some((at, cells)) = sheet.row(meter)? {
        let size = cells.iter().map(|(_, cell)| size_of::<usize>() + cell.size()).sum::<usize>();
        let what = "the rows of the sheet, which are out of order,";
        let instead = "save it again in a spreadsheet program";
        charge(&mut held, size_of::<RowCells>() + size, limits.max_held, what, instead)?;
        rows.entry(at).or_default().extend(cells);
    }
    Ok(rows)
}

// === impl Span ===

impl Span {
    fn of(sheet: &mut Sheet, limits: &Limits, meter: &mut Meter<'_>) -> Result<Self, Error> {
        let mut span = Self::default();
        let mut read: u64 = 0;
        let mut last = 0;
        while let Some((at, cells)) = sheet.row(meter)? {
            span.jumbled |= at < last;
            last = at;
            let used = cells.iter().filter(|(_, cell)| cell.is_missing() || !cell.is_empty());
            if let Some(last) = used.map(|(column, _)| *column as u64).max() {
                span.rows = span.rows.max(at + 1);
                span.columns = span.columns.max(last + 1);
            }
            read += 1;
            if read.is_multiple_of(crate::progress::ROWS_PER_CALLBACK) {
                meter.advance(sheet.part() / 2.0)?;
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
        let Self { rows, columns, .. } = self;
        let most = limits.max_cells;
        if rows.saturating_mul(columns) > most {
            return Err(TooMuch::Cells { rows, columns, most });
        }
        Ok(())
    }
}
