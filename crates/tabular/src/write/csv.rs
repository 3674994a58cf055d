//! Writes a table as CSV: UTF-8, commas, and quotes only where they are needed.
use std::{borrow::Cow, io};

use super::{
    formula,
    written::{CellMode, Written},
};
use crate::{cell::Cell, error::Error, output::Output};

#[derive(Debug)]
pub(crate) struct Writer {
    lines: csv::Writer<Output>,
    /// Whether there is one column: a blank field would look like a blank line.
    alone: bool,
    rows: u64,
    cells: CellMode,
    /// Number of cells that begin like a formula.
    formulas: u64,
}

// === impl Writer ===

impl Writer {
    pub(super) fn begin(
        output: Output,
        columns: &[String],
        cells: CellMode,
    ) -> Result<Self, Error> {
        let writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::Any(b'\n'))
            .flexible(true)
            // Fields are quoted below.
            .quote_style(csv::QuoteStyle::Never)
            .from_writer(output);
        let alone = columns.len() == 1;
        let mut writer = Self { lines: writer, alone, rows: 0, cells, formulas: 0 };
        // Spreadsheet programs take a file that begins with these letters for another format.
        let first = columns.first().is_some_and(|name| name.starts_with("ID"));
        writer.record(columns.iter().map(|name| Cow::Borrowed(name.as_str())), true, first)?;
        Ok(writer)
    }

    pub(super) fn row(&mut self, row: &[Cell]) -> Result<(), Error> {
        self.rows += 1;
        self.record(row.iter().map(|cell| cell.text().unwrap_or_default()), false, false)
    }

    /// Writes a line; with `quotes`, its first field is always quoted. Names in the `header` are
    /// quoted if they contain another delimiter, since readers detect delimiters there.
    fn record<'a>(
        &mut self,
        fields: impl Iterator<Item = Cow<'a, str>>,
        header: bool,
        mut quotes: bool,
    ) -> Result<(), Error> {
        let mut none = true;
        for field in fields {
            none = false;
            let formula = formula::is_formula(&field);
            self.formulas += u64::from(formula);
            let field = match self.cells {
                CellMode::Defused if formula => formula::defuse(&field),
                _ => field.as_ref().into(),
            };
            let blank = self.alone && field.trim_matches([' ', '\t']).is_empty();
            let field = if std::mem::take(&mut quotes)
                || blank
                || is_special(&field)
                || (header && field.contains([';', '\t', '|']))
            {
                format!("\"{}\"", field.replace('"', "\"\"")).into()
            } else {
                field
            };
            let written = self.lines.write_field(&*field);
            written.map_err(|error| self.failed(error))?;
        }
        if none {
            self.lines.write_field("\"\"").map_err(|error| self.failed(error))?;
        }
        let written = self.lines.write_record(None::<&[u8]>);
        written.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: csv::Error) -> Error {
        // The kind shows a full disk; other conversions lose it.
        let source = match error.into_kind() {
            csv::ErrorKind::Io(source) => source,
            other => io::Error::other(format!("{other:?}")),
        };
        self.lines.get_ref().failed(source)
    }

    pub(super) fn finish(self) -> Result<Written, Error> {
        let output = match self.lines.into_inner() {
            Ok(output) => output,
            Err(error) => {
                let source = io::Error::new(error.error().kind(), error.error().to_string());
                return Err(error.into_inner().get_ref().failed(source));
            }
        };
        let formulas = if self.cells == CellMode::Values { self.formulas } else { 0 };
        Ok(Written { path: output.finish()?, rows: self.rows, warnings: Vec::new(), formulas })
    }
}

/// Returns whether a field needs quotes.
fn is_special(field: &str) -> bool {
    field.contains([',', '"', '\n', '\r'])
}
