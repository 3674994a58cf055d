//! Writes a table as a workbook, with memory for one row.
use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    panic::{self, AssertUnwindSafe},
};

use rust_xlsxwriter::{Workbook, Worksheet, XlsxError};
use zip::result::ZipError;

use super::written::Written;
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
    /// Longest text of each column, in characters.
    widths: Vec<usize>,
    rows: u32,
    /// Time of creation, for the second sheet.
    created: Option<String>,
    stripped: u64,
}

/// Style of a workbook.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SheetStyle<'a> {
    Plain,
    /// With fitted column widths, and a second sheet about the file.
    Full {
        sheet: &'a str,
        created: &'a str,
    },
}

const MAX_ROWS: u32 = 1 << 20;
const MAX_COLUMNS: usize = 1 << 14;
/// Most UTF-16 units of a cell.
const MAX_TEXT: usize = 32_767;
const MAX_WIDTH: usize = 50;
/// Larger integers have more digits than a spreadsheet keeps.
const MAX_EXACT: i128 = 1 << 53;
const DEFAULT_SHEET: &str = "Sheet1";

/// Messages of the library when it panics because the disk of its temporary file is full.
const DISK_FULL: [io::ErrorKind; 2] = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];

fn failed(error: &XlsxError) -> Error {
    Error::Workbook(error.to_string())
}

/// Runs `work`, and returns an error if it panics because the disk is full.
fn caught<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    panic::catch_unwind(AssertUnwindSafe(work)).or_else(|cause| {
        let said = cause.downcast_ref::<String>().map_or("", String::as_str);
        match DISK_FULL.into_iter().find(|kind| said.contains(&format!("{kind:?}"))) {
            Some(kind) => Err(kind.into()),
            None => panic::resume_unwind(cause),
        }
    })
}

// === impl Writer ===

impl Writer {
    pub(super) fn begin(
        output: Output,
        columns: &[String],
        look: SheetStyle<'_>,
    ) -> Result<Self, Error> {
        if columns.len() > MAX_COLUMNS {
            return Err(TooMuch::SheetColumns.into());
        }
        let mut workbook = Workbook::new();
        workbook.set_tempdir(output.folder()).map_err(|error| failed(&error))?;
        let sheet = workbook.add_worksheet_with_constant_memory().map_err(|err| failed(&err))?;
        let created = match look {
            SheetStyle::Plain => None,
            SheetStyle::Full { sheet: name, created } => {
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
        caught(|| self.put(row)).unwrap_or_else(|err| Err(self.output.failed(err)))
    }

    fn put(&mut self, row: &[Cell]) -> Result<(), Error> {
        if self.rows >= MAX_ROWS {
            return Err(TooMuch::SheetRows.into());
        }
        // The file is written at the end, while its texts are on the disk until then.
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
        self.add_info(rows).map_err(|error| failed(&error))?;
        let Self { mut workbook, output, stripped, .. } = self;
        let mut file = CancellableFile { file: output.file(), meter, ended: None };
        let saved = caught(|| workbook.save_to_writer(&mut file));
        if let Some(err) = file.ended {
            return Err(err);
        }
        match saved.map_err(XlsxError::IoError).and_then(|saved| saved) {
            Ok(()) => {}
            Err(XlsxError::IoError(err) | XlsxError::ZipError(ZipError::Io(err))) => {
                return Err(output.failed(err));
            }
            Err(err) => return Err(failed(&err)),
        }
        let warnings = match stripped {
            0 => Vec::new(),
            n => vec![format!("control characters were removed from {n} cells")],
        };
        Ok(Written { path: output.finish()?, rows, warnings, formulas: 0 })
    }

    /// Sets the widths of columns, and adds the sheet about the file.
    fn add_info(&mut self, rows: u64) -> Result<(), XlsxError> {
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

/// A file whose writing can be cancelled.
struct CancellableFile<'a, 'b> {
    file: &'a File,
    meter: &'a mut Meter<'b>,
    ended: Option<Error>,
}

impl Write for CancellableFile<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(err) = self.meter.pulse() {
            self.ended = Some(err);
            return Err(io::Error::other("the work was ended"));
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for CancellableFile<'_, '_> {
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
    // There are at least as many bytes as units.
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

/// Writes a value, and returns its width.
fn write_value(sheet: &mut Worksheet, place: (u32, u16), cell: &Cell) -> Result<usize, Error> {
    let (row, column) = place;
    let written = match cell {
        Cell::Missing => return Ok("nan".len()),
        Cell::Text(text) => return write_text(sheet, place, text),
        Cell::Bool(value) => sheet.write_boolean(row, column, *value),
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

/// Returns `text` without the control characters that a sheet cannot hold, if it has any.
fn printable(text: &str) -> Option<String> {
    let wrong = |c: char| matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}');
    text.contains(wrong).then(|| text.replace(wrong, ""))
}

fn sheet_name(name: &str) -> Result<&str, Error> {
    let name = if name.trim().is_empty() { DEFAULT_SHEET } else { name };
    if let Some(wrong) = name.chars().find(|c| "*:?/\\[]".contains(*c)) {
        return Err(Error::Workbook(format!("Invalid character {wrong} found in sheet title")));
    }
    if name.contains(|c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        let what = format!("Invalid character in the sheet title {name:?}: no sheet can have it");
        return Err(Error::Workbook(what));
    }
    if name.eq_ignore_ascii_case("history") {
        let what = format!("{name:?} cannot be a sheet title, spreadsheet programs reserve it");
        return Err(Error::Workbook(what));
    }
    if name.starts_with('\'') || name.ends_with('\'') {
        let what = "a sheet title cannot begin or end with an apostrophe";
        return Err(Error::Workbook(what.to_owned()));
    }
    if name.encode_utf16().count() > 31 {
        return Err(Error::Workbook("a sheet title has at most 31 characters".to_owned()));
    }
    Ok(name)
}

/// Truncates `text` to the size of a cell.
fn truncate(text: &mut String) {
    let mut units = 0;
    let end = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > MAX_TEXT
    });
    if let Some((end, _)) = end {
        text.truncate(end);
    }
}
