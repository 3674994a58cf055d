//! Tables as files.
use std::path::PathBuf;

use crate::{cell::Cell, error::Error, output::Output, progress::Meter};

mod csv;
pub(crate) mod formula;
mod json;
mod xlsx;

pub(crate) use xlsx::Look;

/// A format of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Xlsx,
    Csv,
    Json,
}

/// A table being written, row by row.
#[derive(Debug)]
pub(crate) enum Writer {
    Xlsx(Box<xlsx::Writer>),
    Csv(Box<csv::Writer>),
    Json(json::Writer),
}

/// A file that is complete.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) path: PathBuf,
    pub(crate) rows: u64,
    pub(crate) warnings: Vec<String>,
    /// Cells of a text file that begin like a formula, and are as they are.
    pub(crate) formulas: u64,
}

/// How cells are written that a spreadsheet program would run, if it opened the text file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cells {
    /// With an apostrophe before them, for people.
    Defused,
    /// As they are, for what works on with them.
    Values,
}

impl Format {
    pub(crate) const fn extension(self) -> &'static str {
        match self {
            Self::Xlsx => "xlsx",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

// === impl Writer ===

impl Writer {
    /// Begin `output` with the names of its columns. `look` is for workbooks.
    pub(crate) fn begin(
        format: Format,
        output: Output,
        columns: &[String],
        look: Look<'_>,
        cells: Cells,
    ) -> Result<Self, Error> {
        Ok(match format {
            Format::Xlsx => Self::Xlsx(Box::new(xlsx::Writer::begin(output, columns, look)?)),
            Format::Csv => Self::Csv(Box::new(csv::Writer::begin(output, columns, cells)?)),
            Format::Json => Self::Json(json::Writer::begin(output, columns)?),
        })
    }

    pub(crate) fn row(&mut self, row: &[Cell]) -> Result<(), Error> {
        match self {
            Self::Xlsx(it) => it.row(row),
            Self::Csv(it) => it.row(row),
            Self::Json(it) => it.row(row),
        }
    }

    /// The complete file. What is done last takes long for a large workbook, and can be ended, too.
    pub(crate) fn finish(self, meter: &mut Meter<'_>) -> Result<Written, Error> {
        match self {
            Self::Xlsx(it) => it.finish(meter),
            Self::Csv(it) => it.finish(),
            Self::Json(it) => it.finish(),
        }
    }
}
