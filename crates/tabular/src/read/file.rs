//! Opens and reads files, with errors that name them.
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use crate::error::Unreadable;

pub(super) fn open(path: &Path) -> Result<File, Unreadable> {
    File::open(path).map_err(|source| failed(path, source))
}

pub(super) fn failed(path: &Path, source: io::Error) -> Unreadable {
    if source.kind() == io::ErrorKind::NotFound {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Unreadable::Absent(name);
    }
    Unreadable::Io { path: path.to_owned(), source }
}

/// Reads until `buffer` is full or the file ends.
pub(super) fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
