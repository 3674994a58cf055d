//! The output file of an operation. Gets its name only once it is complete.
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::error::{Error, TooMuch};

/// An incomplete file. Dropping removes it.
#[derive(Debug)]
pub(crate) struct Output {
    folder: PathBuf,
    stem: String,
    extension: String,
    file: BufWriter<NamedTempFile>,
    /// Bytes that are left, of `most`.
    left: u64,
    most: u64,
}

/// Most names to try if they are taken.
const MAX_NAME_TRIES: u32 = 1000;

// === impl Output ===

impl Output {
    /// Creates a file of at most `most` bytes, to be called `stem.extension` in `folder`, or the
    /// same with a number if that is taken.
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

    /// Returns the folder for temporary files.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the name of the complete file.
    pub(crate) fn name(&self) -> String {
        format!("{}.{}", self.stem, self.extension)
    }

    pub(crate) fn file(&self) -> &File {
        self.file.get_ref().as_file()
    }

    /// Charges `bytes` to the limit.
    pub(crate) fn account(&mut self, bytes: usize) -> Result<(), TooMuch> {
        let left = self.left.checked_sub(bytes as u64);
        self.left = left.ok_or(TooMuch::Result { most: self.most })?;
        Ok(())
    }

    /// Makes the error of a failed write.
    pub(crate) fn failed(&self, source: io::Error) -> Error {
        if source.kind() == io::ErrorKind::FileTooLarge {
            return TooMuch::Result { most: self.most }.into();
        }
        Error::Write { path: self.folder.join(self.name()), source }
    }

    /// Completes the file under its name.
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
            if tries > MAX_NAME_TRIES {
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
