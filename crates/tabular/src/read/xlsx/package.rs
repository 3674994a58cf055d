//! Parts of a workbook's archive, as bounded streams.
use std::{
    cell::Cell,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    rc::Rc,
};

use encoding_rs::{UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;
use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::super::file::{failed, fill, open};
use crate::error::{Error, TooMuch, Unreadable, broken};

#[derive(Debug)]
pub(super) struct Package {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
    most: u64,
}

/// A part that is being unzipped.
pub(super) struct PackagePart {
    inner: BufReader<Box<dyn Read>>,
    left: u64,
    /// Bytes that may be read before the next [`PackagePart::begin_element`]. Bounds the memory of
    /// the parser.
    element: usize,
    limit_error: Option<ExceededLimit>,
    most: u64,
    /// Compressed bytes: read so far, and of the whole part.
    read: Rc<Cell<u64>>,
    size: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExceededLimit {
    PackagePart,
    Element,
}

struct CountingFile {
    file: io::Take<File>,
    read: Rc<Cell<u64>>,
}

/// Bytes of an element: a cell holds 32,767 characters, which may all be written as references.
const MAX_ELEMENT: usize = 1 << 20;
const MAX_SMALL: u64 = 32 << 20;

// === impl Package ===

impl Package {
    pub(super) fn open(path: &Path, most: u64) -> Result<Self, Error> {
        let archive = ZipArchive::new(BufReader::new(open(path)?));
        let archive = archive.map_err(|_| broken("File is not a zip file"))?;
        let mut package = Self { path: path.to_owned(), archive, most };
        match package.other() {
            Some(what) => Err(what.into()),
            None => Ok(package),
        }
    }

    /// Recognises spreadsheets of other programs.
    fn other(&mut self) -> Option<Unreadable> {
        if self.archive.file_names().any(|name| name.is_ok_and(|name| name.ends_with(".iwa"))) {
            return Some(Unreadable::NotASpreadsheet("is a document of Numbers"));
        }
        let mut kind = String::new();
        let part = self.part("mimetype").ok()??;
        part.take(200).read_to_string(&mut kind).ok()?;
        let open = kind.strip_prefix("application/vnd.oasis.opendocument.")?;
        let spreadsheet = open.starts_with("spreadsheet");
        let other = Unreadable::NotASpreadsheet("is a text document");
        Some(if spreadsheet { Unreadable::OpenDocument } else { other })
    }

    /// Opens a part that is kept in memory, with a smaller limit.
    pub(super) fn small_part(&mut self, name: &str) -> Result<Option<PackagePart>, Error> {
        let part = self.part(name)?;
        Ok(part.map(|part| {
            let most = part.most.min(MAX_SMALL);
            PackagePart { left: most, most, ..part }
        }))
    }

    /// Opens the part `name`, if there is one. Compares names without case, as the format requires.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<PackagePart>, Error> {
        let name = name.trim_start_matches('/');
        let same = |other: &str| {
            other.trim_start_matches('/').replace('\\', "/").eq_ignore_ascii_case(name)
        };
        let mut names = self.archive.file_names();
        let Some(at) = names.position(|name| name.is_ok_and(|name| same(&name))) else {
            return Ok(None);
        };
        drop(names);
        let entry = self.archive.by_index_raw(at).map_err(broken)?;
        if entry.encrypted() {
            return Err(Unreadable::Encrypted.into());
        }
        if entry.size() > self.most {
            return Err(TooMuch::Unzipped { most: self.most }.into());
        }
        let (method, size) = (entry.compression(), entry.compressed_size());
        let start = entry.data_start().ok_or_else(|| broken("an entry has no data"))?;
        drop(entry);
        let mut file = open(&self.path)?;
        file.seek(SeekFrom::Start(start)).map_err(|source| failed(&self.path, source))?;
        let read = Rc::new(Cell::new(0));
        let file = CountingFile { file: file.take(size), read: Rc::clone(&read) };
        let inner: Box<dyn Read> = match method {
            CompressionMethod::Stored => Box::new(file),
            CompressionMethod::Deflated => Box::new(DeflateDecoder::new(file)),
            other => return Err(broken(format!("entries are compressed as {other}"))),
        };
        let inner = decoded(inner);
        Ok(Some(PackagePart {
            inner: BufReader::with_capacity(64 << 10, inner),
            left: self.most,
            element: MAX_ELEMENT,
            limit_error: None,
            most: self.most,
            read,
            size,
        }))
    }
}

/// Decodes a part to UTF-8. It may be UTF-16, which its first bytes show.
fn decoded(mut inner: Box<dyn Read>) -> Box<dyn Read> {
    let mut head = [0; 4];
    // Damage is reported when the rest is read.
    let len = fill(&mut inner, &mut head).unwrap_or_default();
    let encoding = match head {
        [0xff, 0xfe, ..] | [b'<', 0, ..] => Some(UTF_16LE),
        [0xfe, 0xff, ..] | [0, b'<', ..] => Some(UTF_16BE),
        _ => None,
    };
    let all = io::Cursor::new(head).take(len as u64).chain(inner);
    let Some(encoding) = encoding else { return Box::new(all) };
    let mut builder = DecodeReaderBytesBuilder::new();
    Box::new(builder.encoding(Some(encoding)).strip_bom(true).bom_override(true).build(all))
}

// === impl PackagePart ===

impl PackagePart {
    /// Starts a new element, with its own limit.
    pub(super) fn begin_element(&mut self) {
        self.element = MAX_ELEMENT;
    }

    /// Returns the error if a limit was exceeded.
    pub(super) fn limit_error(&self) -> Option<Error> {
        Some(match self.limit_error? {
            ExceededLimit::PackagePart => TooMuch::Unzipped { most: self.most }.into(),
            ExceededLimit::Element => {
                broken(format!("an element is longer than {MAX_ELEMENT} bytes"))
            }
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "it is a part")]
    pub(super) fn part(&self) -> f64 {
        self.read.get() as f64 / self.size.max(1) as f64
    }
}

impl Read for PackagePart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let len = available.len().min(buffer.len());
        buffer[..len].copy_from_slice(&available[..len]);
        self.consume(len);
        Ok(len)
    }
}

impl BufRead for PackagePart {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let buffer = self.inner.fill_buf()?;
        let limit_error = match (self.left, self.element) {
            _ if buffer.is_empty() => None,
            (0, _) => Some(ExceededLimit::PackagePart),
            (_, 0) => Some(ExceededLimit::Element),
            _ => None,
        };
        if limit_error.is_some() {
            self.limit_error = limit_error;
            return Err(io::Error::other("there is more than may be read"));
        }
        Ok(buffer)
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
        self.left = self.left.saturating_sub(amount as u64);
        self.element = self.element.saturating_sub(amount);
    }
}

impl Read for CountingFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}

impl std::fmt::Debug for PackagePart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part")
            .field("size", &self.size)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
