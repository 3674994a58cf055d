//! A table as a workbook, written with memory for one row.
use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    panic::{self, AssertUnwindSafe},
};

use rust_xlsxwriter::{Workbook, Worksheet, XlsxError};
use zip::result::ZipError;

use super::Written;
use crate::{
    cell::{Cell, float_text},
    error::{ColumnName, Error, TooMuch},
    output::Output,
    progress::Meter,
};

pub(crate) struct Writer {
    workbook: Workbook,
    output: Output,
    columns: Vec<String>,
    /// The longest text of each column, in characters.
    widths: Vec<usize>,
    rows: u32,
    /// When it was made, if a second sheet shall say so.
    created: Option<String>,
    stripped: u64,
}

/// What a workbook shows besides the table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look<'a> {
    Plain,
    /// Columns as wide as their texts, and a second sheet about the file.
    Full {
        sheet: &'a str,
        created: &'a str,
    },
}

const MAX_ROWS: u32 = 1 << 20;
const MAX_COLUMNS: usize = 1 << 14;
/// Characters of a cell, as the UTF-16 that spreadsheet programs count.
const MAX_TEXT: usize = 32_767;
const MAX_WIDTH: usize = 50;
/// Whole numbers beyond have more digits than a spreadsheet keeps.
const MAX_EXACT: i128 = 1 << 53;
const DEFAULT_SHEET: &str = "Sheet1";

/// What the library says when it panics because its temporary file has no room.
const FULL: [io::ErrorKind; 2] = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];

fn failed(error: &XlsxError) -> Error {
    Error::Workbook(error.to_string())
}

/// What `work` gives, unless the disk is full.
fn caught<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    panic::catch_unwind(AssertUnwindSafe(work)).or_else(|cause| {
        let said = cause.downcast_ref::<String>().map_or("", String::as_str);
        match FULL.into_iter().find(|kind| said.contains(&format!("{kind:?}"))) {
            Some(kind) => Err(kind.into()),
            None => panic::resume_unwind(cause),
        }
    })
}

// === impl Writer ===

impl Writer {
    pub(super) fn begin(output: Output, columns: &[String], look: Look<'_>) -> Result<Self, Error> {
        if columns.len() > MAX_COLUMNS {
            return Err(TooMuch::SheetColumns.into());
        }
        let mut workbook = Workbook::new();
        workbook.set_tempdir(output.folder()).map_err(|error| failed(&error))?;
        let sheet = workbook.add_worksheet_with_constant_memory().map_err(|it| failed(&it))?;
        let created = match look {
            Look::Plain => None,
            Look::Full { sheet: name, created } => {
                sheet.set_name(sheet_name(name)?).map_err(|error| failed(&error))?;
                Some(created.to_owned())
            }
        };
        let mut writer = Self {
            workbook,
            output,
            columns: columns.to_vec(),
            widths: vec![0; columns.len()],
            rows: 0,
            created,
            stripped: 0,
        };
        let header: Vec<_> = columns.iter().map(|name| Cell::Text(name.clone())).collect();
        writer.row(&header)?;
        Ok(writer)
    }

    pub(super) fn row(&mut self, row: &[Cell]) -> Result<(), Error> {
        caught(|| self.put(row)).unwrap_or_else(|why| Err(self.output.failed(why)))
    }

    fn put(&mut self, row: &[Cell]) -> Result<(), Error> {
        if self.rows >= MAX_ROWS {
            return Err(TooMuch::SheetRows.into());
        }
        // The file is written at the end, but its texts are on the disk until then.
        self.output.account(row.iter().map(Cell::len).sum())?;
        let at = self.rows;
        let sheet = self.workbook.worksheet_from_index(0).map_err(|error| failed(&error))?;
        for (column, cell) in row.iter().enumerate() {
            let place = (at, u16::try_from(column).unwrap_or(u16::MAX));
            let width = match cell {
                Cell::Text(text) => {
                    let clean = printable(text);
                    self.stripped += u64::from(clean.is_some());
                    write_text(sheet, place, clean.as_deref().unwrap_or(text))?
                }
                cell => write_value(sheet, place, cell)?,
            };
            if let Some(widest) = self.widths.get_mut(column) {
                *widest = width.max(*widest);
            }
        }
        self.rows += 1;
        Ok(())
    }

    pub(super) fn finish(mut self, meter: &mut Meter<'_>) -> Result<Written, Error> {
        let rows = u64::from(self.rows.saturating_sub(1));
        self.adorn(rows).map_err(|error| failed(&error))?;
        let Self { mut workbook, output, stripped, .. } = self;
        let mut file = Watched { file: output.file(), meter, ended: None };
        let saved = caught(|| workbook.save_to_writer(&mut file));
        if let Some(why) = file.ended {
            return Err(why);
        }
        match saved.map_err(XlsxError::IoError).and_then(|saved| saved) {
            Ok(()) => {}
            Err(XlsxError::IoError(why) | XlsxError::ZipError(ZipError::Io(why))) => {
                return Err(output.failed(why));
            }
            Err(why) => return Err(failed(&why)),
        }
        let warnings = match stripped {
            0 => Vec::new(),
            n => vec![format!("control characters were removed from {n} cells")],
        };
        Ok(Written { path: output.finish()?, rows, warnings, formulas: 0 })
    }

    /// Widths of columns, and the sheet about the file.
    fn adorn(&mut self, rows: u64) -> Result<(), XlsxError> {
        let Some(created) = &self.created else { return Ok(()) };
        let sheet = self.workbook.worksheet_from_index(0)?;
        for (column, width) in self.widths.iter().enumerate() {
            let width = u32::try_from((width + 2).min(MAX_WIDTH)).unwrap_or_default();
            sheet.set_column_width(u16::try_from(column).unwrap_or(u16::MAX), width)?;
        }
        let taken = sheet.name().eq_ignore_ascii_case("info");
        let name = if taken { "Info1" } else { "Info" };
        let mut names = self.columns.join(", ");
        truncate(&mut names);
        let info = self.workbook.add_worksheet().set_name(name)?;
        for (at, (property, value)) in (0..).zip([
            ("Property", "Value"),
            ("File", &self.output.name()),
            ("Created", created),
            ("Rows", ""),
            ("Columns", ""),
            ("Column Names", &names),
        ]) {
            info.write_string(at, 0, property)?.write_string(at, 1, value)?;
        }
        #[expect(clippy::cast_precision_loss, reason = "a sheet has fewer than 2^20 rows")]
        info.write_number(3, 1, rows as f64)?;
        info.write_number(4, 1, u32::try_from(self.columns.len()).unwrap_or_default())?;
        Ok(())
    }
}

/// A file that is written as long as nobody ends the work.
struct Watched<'a, 'b> {
    file: &'a File,
    meter: &'a mut Meter<'b>,
    ended: Option<Error>,
}

impl Write for Watched<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(why) = self.meter.pulse() {
            self.ended = Some(why);
            return Err(io::Error::other("the work was ended"));
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Watched<'_, '_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("output", &self.output)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

fn write_text(
    sheet: &mut Worksheet,
    (row, column): (u32, u16),
    text: &str,
) -> Result<usize, Error> {
    // Bytes are at least as many as what is counted.
    if text.len() > MAX_TEXT {
        let found = text.encode_utf16().count();
        if found > MAX_TEXT {
            let (row, column) = (u64::from(row) + 1, ColumnName(column.into()));
            return Err(TooMuch::Cell { row, column, found }.into());
        }
    }
    sheet.write_string(row, column, text).map_err(|error| failed(&error))?;
    Ok(text.chars().count())
}

/// Write what is no text, and say how wide it is.
fn write_value(sheet: &mut Worksheet, place: (u32, u16), cell: &Cell) -> Result<usize, Error> {
    let (row, column) = place;
    let written = match cell {
        Cell::Missing => return Ok("nan".len()),
        Cell::Text(text) => return write_text(sheet, place, text),
        Cell::Bool(it) => sheet.write_boolean(row, column, *it),
        Cell::Int(number) if number.abs() > MAX_EXACT => {
            return write_text(sheet, place, &number.to_string());
        }
        #[expect(clippy::cast_precision_loss, reason = "it is at most 2^53")]
        Cell::Int(number) => sheet.write_number(row, column, *number as f64),
        Cell::Float(number) if !number.is_finite() => {
            return write_text(sheet, place, &float_text(*number));
        }
        Cell::Float(number) => sheet.write_number(row, column, *number),
    };
    written.map_err(|error| failed(&error))?;
    Ok(cell.text().map_or(0, |text| text.chars().count()))
}

/// `text` without the control characters that a sheet cannot hold, if it has any.
fn printable(text: &str) -> Option<String> {
    let wrong = |it: char| matches!(it, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}');
    text.contains(wrong).then(|| text.replace(wrong, ""))
}

fn sheet_name(name: &str) -> Result<&str, Error> {
    let name = if name.trim().is_empty() { DEFAULT_SHEET } else { name };
    if let Some(wrong) = name.chars().find(|it| "*:?/\\[]".contains(*it)) {
        return Err(Error::Workbook(format!("Invalid character {wrong} found in sheet title")));
    }
    if name.contains(|it: char| it.is_control() || matches!(it, '\u{fffe}' | '\u{ffff}')) {
        let what = format!("Invalid character in the sheet title {name:?}: no sheet can have it");
        return Err(Error::Workbook(what));
    }
    if name.eq_ignore_ascii_case("history") {
        let what = format!("{name:?} cannot be a sheet title, spreadsheet programs keep it");
        return Err(Error::Workbook(what));
    }
    if name.starts_with('\'') || name.ends_with('\'') {
        let what = "a sheet title begins and ends with something else than an apostrophe";
        return Err(Error::Workbook(what.to_owned()));
    }
    if name.encode_utf16().count() > 31 {
        return Err(Error::Workbook("a sheet title has at most 31 characters".to_owned()));
    }
    Ok(name)
}

/// Cut `text` to what a cell holds.
fn truncate(text: &mut String) {
    let mut units = 0;
    let end = text.char_indices().find(|(_, it)| {
        units += it.len_utf16();
        units > MAX_TEXT
    });
    if let Some((end, _)) = end {
        text.truncate(end);
    }
}
