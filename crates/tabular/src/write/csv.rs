//! A table as text: UTF-8, commas, and quotes only where they are needed.
use std::{borrow::Cow, io};

use super::{Written, formula};
use crate::{cell::Cell, error::Error, output::Output};

#[derive(Debug)]
pub(crate) struct Writer {
    lines: csv::Writer<Output>,
    /// There is one column: a blank field would look like a blank line.
    alone: bool,
    rows: u64,
}

// === impl Writer ===

impl Writer {
    pub(super) fn begin(output: Output, columns: &[String]) -> Result<Self, Error> {
        let alone = columns.len() == 1;
        let style = if alone { csv::QuoteStyle::Never } else { csv::QuoteStyle::Necessary };
        let writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::Any(b'\n'))
            .flexible(true)
            .quote_style(style)
            .from_writer(output);
        let mut writer = Self { lines: writer, alone, rows: 0 };
        writer.record(columns.iter().map(|name| formula::defuse(name)))?;
        Ok(writer)
    }

    pub(super) fn row(&mut self, row: &[Cell]) -> Result<(), Error> {
        self.rows += 1;
        self.record(row.iter().map(|cell| match cell {
            Cell::Text(text) => formula::defuse(text),
            cell => cell.text().unwrap_or_default(),
        }))
    }

    fn record<'a>(&mut self, fields: impl Iterator<Item = Cow<'a, str>>) -> Result<(), Error> {
        for field in fields {
            let field = if self.alone { quoted(field) } else { field };
            let written = self.lines.write_field(&*field);
            written.map_err(|error| self.failed(error))?;
        }
        let written = self.lines.write_record(None::<&[u8]>);
        written.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: csv::Error) -> Error {
        // The kind says whether the disk is full; other conversions lose it.
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
        Ok(Written { path: output.finish()?, rows: self.rows, warnings: Vec::new() })
    }
}

/// A field that is alone on its line, in quotes if it needs them.
fn quoted(field: Cow<'_, str>) -> Cow<'_, str> {
    let special = |it: char| matches!(it, ',' | '"' | '\n' | '\r');
    if field.trim_matches([' ', '\t']).is_empty() || field.contains(special) {
        return format!("\"{}\"", field.replace('"', "\"\"")).into();
    }
    field
}
