//! Reads a file as a table: named columns and rows of cells, one row at a time.
use std::path::Path;

use crate::{
    cell::Row,
    error::{Error, Unreadable},
    limits::Limits,
    name,
    progress::Meter,
};

mod csv;
pub(crate) mod delimiter;
mod encoding;
mod file;
pub(crate) mod header;
mod xlsx;

use file::{failed, fill, open};

/// An open table. Its format is detected by its content, not by its name.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<String>,
    /// Names of the sheets of a workbook; empty for a text file.
    sheets: Vec<String>,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    Csv(Box<csv::Rows>),
    Xlsx(Box<xlsx::Rows>),
}

/// Format by the first bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Zip,
    /// Container of old office files and of encrypted new ones.
    Ole,
    Text,
}

/// Beginnings of files that are not tables.
const NOT_TABLES: [(&[u8], &str); 9] = [
    (b"%pdf-", "is a PDF"),
    (b"{\\rtf", "is a text document"),
    (b"\x89png", "is an image"),
    (b"\xff\xd8\xff", "is an image"),
    (b"\x1f\x8b", "is an archive"),
    (b"pk\x05\x06", "is an empty archive"),
    (b"<?xml", "is XML"),
    (b"<!doctype", "is HTML"),
    (b"<html", "is HTML"),
];

// === impl Table ===

impl Table {
    /// Opens `path`, detects its format, checks all of it against `limits`, and reads the header.
    /// Of a workbook, reads the sheet `sheet`, or the first one.
    pub(crate) fn open(
        path: &Path,
        sheet: Option<&str>,
        limits: &Limits,
        meter: &mut Meter<'_>,
    ) -> Result<Self, Error> {
        let mut sheets = Vec::new();
        let (columns, rows) = match kind(path)? {
            Kind::Zip => {
                let (columns, mut rows) = xlsx::Rows::open(path, sheet, limits, meter)?;
                sheets = rows.take_sheets();
                (columns, Rows::Xlsx(Box::new(rows)))
            }
            Kind::Ole => return Err(ole(path)?.into()),
            Kind::Text => {
                let (columns, rows) = csv::Rows::open(path, limits, meter)?;
                (columns, Rows::Csv(Box::new(rows)))
            }
        };
        Ok(Self { columns: header::names(columns), sheets, rows })
    }

    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(crate) fn sheets(&self) -> &[String] {
        &self.sheets
    }

    pub(crate) fn is_workbook(&self) -> bool {
        matches!(self.rows, Rows::Xlsx(_))
    }

    /// Returns the index of the column `name`, in any normal form.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        name::find(&self.columns, name)
    }

    /// Replaces `row` by the next one, with as many cells as there are columns. False at the end.
    pub(crate) fn read(&mut self, row: &mut Row, meter: &mut Meter<'_>) -> Result<bool, Error> {
        row.clear();
        let more = match &mut self.rows {
            Rows::Csv(rows) => rows.read(row, meter)?,
            Rows::Xlsx(rows) => rows.read(row, meter)?,
        };
        if more {
            meter.row(|| self.part())?;
        }
        Ok(more)
    }

    /// Returns the part of the file that was read.
    fn part(&self) -> f64 {
        match &self.rows {
            Rows::Csv(rows) => rows.part(),
            Rows::Xlsx(rows) => rows.part(),
        }
    }
}

fn kind(path: &Path) -> Result<Kind, Unreadable> {
    let mut head = [0; 512];
    let mut file = open(path)?;
    let read = fill(&mut file, &mut head).map_err(|source| failed(path, source))?;
    let head = &head[..read];
    if head.starts_with(b"PK\x03\x04") {
        return Ok(Kind::Zip);
    }
    if head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Ok(Kind::Ole);
    }
    // The first record of older workbooks, which have no container.
    if matches!(head, [0x09, 0x00 | 0x02 | 0x04, 0x04 | 0x06, 0x00, ..]) {
        return Err(Unreadable::OldFormat);
    }
    let text = head.trim_ascii_start().to_ascii_lowercase();
    match NOT_TABLES.iter().find(|(start, _)| text.starts_with(start)) {
        Some((_, what)) => Err(Unreadable::NotASpreadsheet(what)),
        None => Ok(Kind::Text),
    }
}

/// Distinguishes old workbooks from encrypted ones by the name of a stream.
fn ole(path: &Path) -> Result<Unreadable, Unreadable> {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut file = open(path)?;
    let mut block = vec![0; 64 << 10];
    let mut kept = 0;
    loop {
        let read = fill(&mut file, &mut block[kept..]).map_err(|source| failed(path, source))?;
        if read == 0 {
            return Ok(Unreadable::OldFormat);
        }
        let end = kept + read;
        if block[..end].windows(name.len()).any(|window| window == name) {
            return Ok(Unreadable::Encrypted);
        }
        kept = end.min(name.len());
        block.copy_within(end - kept..end, 0);
    }
}
