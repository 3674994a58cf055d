//! Writes tables as files.
use crate::{cell::Cell, error::Error, output::Output, progress::Meter};

mod csv;
pub(crate) mod formula;
mod json;
mod written;
mod xlsx;

pub(crate) use written::{CellMode, Written};
pub(crate) use xlsx::SheetStyle;

/// Format of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableFormat {
    Xlsx,
    Csv,
    Json,
}

/// An incomplete table, row by row.
#[derive(Debug)]
pub(crate) enum Writer {
    Xlsx(Box<xlsx::Writer>),
    Csv(Box<csv::Writer>),
    Json(json::Writer),
}

impl TableFormat {
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
    /// Starts a table with the names of its columns. `look` applies to workbooks.
    pub(crate) fn begin(
        format: TableFormat,
        output: Output,
        columns: &[String],
        look: SheetStyle<'_>,
        cells: CellMode,
    ) -> Result<Self, Error> {
        Ok(match format {
            TableFormat::Xlsx => Self::Xlsx(Box::new(xlsx::Writer::begin(output, columns, look)?)),
            TableFormat::Csv => Self::Csv(Box::new(csv::Writer::begin(output, columns, cells)?)),
            TableFormat::Json => Self::Json(json::Writer::begin(output, columns)?),
        })
    }

    pub(crate) fn row(&mut self, row: &[Cell]) -> Result<(), Error> {
        match self {
            Self::Xlsx(writer) => writer.row(row),
            Self::Csv(writer) => writer.row(row),
            Self::Json(writer) => writer.row(row),
        }
    }

    /// Completes the file. This takes long for a large workbook, and can be cancelled.
    pub(crate) fn finish(self, meter: &mut Meter<'_>) -> Result<Written, Error> {
        match self {
            Self::Xlsx(writer) => writer.finish(meter),
            Self::Csv(writer) => writer.finish(),
            Self::Json(writer) => writer.finish(),
        }
    }
}
