//! The file that an operation leaves: under its own name only once it is complete.
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::error::{Error, TooMuch};

/// A file in the making. Dropping it leaves nothing.
#[derive(Debug)]
pub(crate) struct Output {
    folder: PathBuf,
    stem: String,
    extension: String,
    file: BufWriter<NamedTempFile>,
    /// Bytes that it may still have, of so many.
    left: u64,
    most: u64,
}

/// Names that are tried when those before are taken.
const MAX_TRIES: u32 = 1000;

// === impl Output ===

impl Output {
    /// A file of at most `most` bytes, to be called `stem.extension` in `folder`, or the same with a
    /// number if that is taken.
    pub(crate) fn create(
        folder: &Path,
        stem: String,
        extension: &str,
        most: u64,
    ) -> Result<Self, Error> {
        let file = NamedTempFile::with_prefix_in(".", folder);
        let file = file.map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        let (folder, extension) = (folder.to_owned(), extension.to_owned());
        Ok(Self { folder, stem, extension, file: BufWriter::new(file), left: most, most })
    }

    /// Where files that belong to this one can be written meanwhile.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name that it is to have.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.stem, self.extension)
    }

    pub(crate) fn file(&self) -> &File {
        self.file.get_ref().as_file()
    }

    /// Account for so many bytes more.
    pub(crate) fn account(&mut self, bytes: usize) -> Result<(), TooMuch> {
        let left = self.left.checked_sub(bytes as u64);
        self.left = left.ok_or(TooMuch::Result { most: self.most })?;
        Ok(())
    }

    /// A writing that failed.
    pub(crate) fn failed(&self, source: io::Error) -> Error {
        if source.kind() == io::ErrorKind::FileTooLarge {
            return TooMuch::Result { most: self.most }.into();
        }
        Error::Write { path: self.folder.join(self.name()), source }
    }

    /// Give it its name.
    pub(crate) fn finish(self) -> Result<PathBuf, Error> {
        let Self { folder, stem, extension, file, .. } = self;
        let path = folder.join(format!("{stem}.{extension}"));
        let failed = |source| Error::Write { path: path.clone(), source };
        let mut file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        let mut tries = 1;
        loop {
            let path = match tries {
                1 => path.clone(),
                n => folder.join(format!("{stem}_{n}.{extension}")),
            };
            file = match file.persist_noclobber(&path) {
                Ok(_) => return Ok(path),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => error.file,
                Err(error) => return Err(failed(error.error)),
            };
            tries += 1;
            if tries > MAX_TRIES {
                return Err(failed(io::ErrorKind::AlreadyExists.into()));
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.account(bytes.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
