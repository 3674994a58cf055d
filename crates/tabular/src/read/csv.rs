//! Rows of a delimited text file.
use std::{
    cell::Cell as Shared,
    io::{self, Read},
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{
    delimiter,
    encoding::Encoding,
    file::{failed, open},
};
use crate::{
    cell::{Cell, Row},
    error::{Error, TooMuch, Unreadable},
    limits::Limits,
    progress::Meter,
};

pub(super) struct Rows {
    path: PathBuf,
    reader: csv::Reader<Box<dyn Read>>,
    record: csv::StringRecord,
    /// Whether the record is the first row, read ahead for its width.
    ahead: bool,
    columns: usize,
    delimiter: u8,
    /// Records that were read, with the header.
    records: u64,
    max_row: usize,
    counter: Rc<ReadCounter>,
    size: u64,
    encoding: Encoding,
}

/// Counts the bytes that were read.
#[derive(Debug, Default)]
struct ReadCounter {
    all: Shared<u64>,
    row: Shared<usize>,
}

struct CountingReader<R> {
    inner: R,
    counter: Rc<ReadCounter>,
    /// Most bytes for one row and the data read ahead.
    most: usize,
}

/// Appended to the file. A record that ends with it has an unclosed quote.
const END_MARKER: &[u8] = b"\n\0";

const SAMPLE_SIZE: u64 = 64 << 10;

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.counter.row.get() > self.most {
            return Err(io::Error::other("the row is too long"));
        }
        let read = self.inner.read(buffer)?;
        self.counter.all.set(self.counter.all.get() + read as u64);
        self.counter.row.set(self.counter.row.get() + read);
        Ok(read)
    }
}

// === impl Rows ===

impl Rows {
    pub(super) fn open(
        path: &Path,
        limits: &Limits,
        meter: &mut Meter<'_>,
    ) -> Result<(Vec<String>, Self), Error> {
        let encoding = Encoding::detect(path, meter)?;
        let size = open(path)?.metadata().map_err(|source| failed(path, source))?.len();
        let sample = encoding.sample(path, SAMPLE_SIZE)?;
        let (delimiter, hint) = match delimiter::named(&sample) {
            Some((delimiter, hint)) => (delimiter, hint),
            None => (delimiter::detect(&sample, size <= SAMPLE_SIZE), 0),
        };
        let counter = Rc::new(ReadCounter::default());
        let ahead = usize::try_from(SAMPLE_SIZE).unwrap_or_default();
        let most = limits.max_row.saturating_add(ahead);
        let file = CountingReader { inner: open(path)?, counter: Rc::clone(&counter), most };
        let mut text = encoding.decode(file);
        let mut skipped = Vec::new();
        let skip = (&mut text).take(hint as u64).read_to_end(&mut skipped);
        skip.map_err(|source| failed(path, source))?;
        let text: Box<dyn Read> = Box::new(text.chain(END_MARKER));
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(ahead)
            .from_reader(text);
        let record = csv::StringRecord::new();
        let mut rows = Self {
            path: path.to_owned(),
            reader,
            record,
            ahead: false,
            columns: 0,
            delimiter,
            // The line that names the delimiter counts, for people who look for a row.
            records: u64::from(hint > 0),
            max_row: limits.max_row,
            counter,
            size,
            encoding,
        };
        let header = rows.header(limits, meter)?;
        Ok((header, rows))
    }

    /// Reads the header, and widens it to the first row, so that no cell is lost.
    fn header(&mut self, limits: &Limits, meter: &mut Meter<'_>) -> Result<Vec<String>, Error> {
        if !self.next(meter)? {
            return Err(Unreadable::Csv("No columns to parse from file".to_owned()).into());
        }
        let most = limits.max_columns;
        let check = |found: usize| {
            if found > most { Err(TooMuch::Columns { found, most }) } else { Ok(()) }
        };
        check(self.record.len())?;
        let mut header: Vec<_> = self.record.iter().map(str::to_owned).collect();
        self.ahead = self.next(meter)?;
        if self.ahead && self.record.len() > header.len() {
            check(self.record.len())?;
            header.resize(self.record.len(), String::new());
        }
        self.columns = header.len();
        Ok(header)
    }

    /// Reads the next record that is not blank.
    fn next(&mut self, meter: &mut Meter<'_>) -> Result<bool, Error> {
        loop {
            meter.step()?;
            self.counter.row.set(0);
            let read = self.reader.read_record(&mut self.record);
            if !read.map_err(|error| self.broken(error))? {
                return Ok(false);
            }
            if self.record.len() == 1 && self.record.get(0) == Some("\0") {
                // Nothing may follow the marker; a row of the file may look like it.
                let more = self.reader.read_record(&mut self.record);
                let more = more.map_err(|error| self.broken(error))?;
                return if more { Err(zero(self.records + 1)) } else { Ok(false) };
            }
            let last = self.record.iter().next_back().unwrap_or_default();
            if last.ends_with("\n\0") {
                let what = "Error tokenizing data. C error: EOF inside string starting at row";
                return Err(Unreadable::Csv(format!("{what} {}", self.records)).into());
            }
            let blank = |text: &str| !text.is_empty() && text.trim_matches([' ', '\t']).is_empty();
            if self.record.len() == 1 && self.record.iter().all(blank) && !self.is_quoted() {
                continue;
            }
            self.records += 1;
            // In other encodings this was found before.
            if self.encoding == Encoding::Utf16 && self.record.as_slice().contains('\0') {
                return Err(zero(self.records));
            }
            return Ok(true);
        }
    }

    /// Returns whether the only field of the record was quoted: it takes two bytes more than its
    /// text and its line end. Unknown after empty lines.
    fn is_quoted(&self) -> bool {
        let Some(start) = self.record.position() else { return false };
        let now = self.reader.position();
        let bytes = (now.byte() - start.byte()).saturating_sub(self.record.as_slice().len() as u64);
        now.line() - start.line() <= 1 && bytes > 2
    }

    fn broken(&self, error: csv::Error) -> Error {
        if self.counter.row.get() > self.max_row {
            return TooMuch::Row { row: self.records + 1, most: self.max_row }.into();
        }
        match error.into_kind() {
            csv::ErrorKind::Io(source) => failed(&self.path, source).into(),
            kind => Unreadable::Csv(format!("row {}: {kind:?}", self.records + 1)).into(),
        }
    }

    pub(super) fn read(&mut self, row: &mut Row, meter: &mut Meter<'_>) -> Result<bool, Error> {
        if !std::mem::take(&mut self.ahead) && !self.next(meter)? {
            return Ok(false);
        }
        let (columns, found) = (self.columns, self.record.len());
        if found > columns {
            let what = "Error tokenizing data. C error: Expected";
            let what = format!("{what} {columns} fields in line {}, saw {found}", self.records);
            return Err(Unreadable::Csv(what).into());
        }
        if found == 1
            && !self.is_quoted()
            && let Some(other) = delimiter::other(&self.record[0], self.delimiter, columns)
        {
            let header = char::from(self.delimiter);
            let (row, other) = (self.records, char::from(other));
            return Err(Unreadable::MixedDelimiters { header, row, other }.into());
        }
        row.extend(self.record.iter().map(Cell::from));
        row.resize(columns, Cell::EMPTY);
        Ok(true)
    }

    #[expect(clippy::cast_precision_loss, reason = "it is a part")]
    pub(super) fn part(&self) -> f64 {
        self.counter.all.get() as f64 / self.size.max(1) as f64
    }
}

fn zero(row: u64) -> Error {
    Unreadable::Csv(format!("row {row} holds a zero character; remove it")).into()
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows")
            .field("path", &self.path)
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}
