//! Writes an archive, entry by entry.
use std::{
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use quadrille_store::{ChatFile, Place};
use tar::{Builder, EntryType, Header};

use super::{BadArchive, MAX_ENTRIES, METADATA};

/// Checks that the files fit into an archive that [`unpack`](super::unpack) accepts.
pub(crate) fn fits(files: &[ChatFile], limit: u64) -> Result<(), BadArchive> {
    // The description is an entry, too.
    if files.len() >= MAX_ENTRIES {
        return Err(BadArchive::Entries);
    }
    let sizes = files.iter().map(|file| u64::try_from(file.size).unwrap_or_default());
    if sizes.fold(0, u64::saturating_add) > limit {
        return Err(BadArchive::TooLarge(limit));
    }
    Ok(())
}

/// Writes an archive.
pub(crate) struct Writer(Builder<GzEncoder<BufWriter<File>>>);

impl Writer {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        Ok(Self(Builder::new(GzEncoder::new(file, Compression::default()))))
    }

    /// Adds the description. `at` is in Unix milliseconds.
    pub(crate) fn metadata(&mut self, at: i64, json: &[u8]) -> io::Result<()> {
        self.add(METADATA, at, json.len() as u64, json)
    }

    /// Adds a file of `size` bytes. Fewer are an error.
    pub(crate) fn file(
        &mut self,
        place: Place,
        name: &str,
        at: i64,
        size: u64,
        bytes: impl Read,
    ) -> io::Result<()> {
        self.add(&format!("{}/{name}", place.word()), at, size, bytes)
    }

    fn add(&mut self, path: &str, at: i64, size: u64, bytes: impl Read) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(size);
        header.set_mtime(u64::try_from(at / 1000).unwrap_or_default());
        let mut bytes = bytes.take(size);
        self.0.append_data(&mut header, path, &mut bytes)?;
        if bytes.limit() == 0 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        self.0.into_inner()?.finish()?.flush()
    }
}
