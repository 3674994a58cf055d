//! Unpacks an untrusted archive, within bounds, to file names of our own.
use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use quadrille_store::{Place, files::Files};
use tar::{Archive, EntryType};

use super::{
    BadArchive, MAX_ENTRIES, MAX_METADATA,
    path::{self, Entry},
};

/// Content of an archive.
#[derive(Debug)]
pub(crate) struct Unpacked {
    pub(crate) metadata: String,
    pub(crate) files: Vec<UnpackedFile>,
}

/// A file, in the scratch folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnpackedFile {
    pub(crate) place: Place,
    /// Name in the archive, with composed letters.
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) at: PathBuf,
}

/// Upper bound on an extension header before an entry, such as a long path, in bytes.
const MAX_EXTENSION: u64 = 64 << 10;

/// Bytes allowed per entry besides its content.
const ENTRY_OVERHEAD: u64 = 2048;

/// Reads at most `left` bytes; more are an error.
struct Bounded<R> {
    inner: R,
    left: u64,
}

/// The bound of [`Bounded`] was exceeded.
#[derive(Debug, thiserror::Error)]
#[error("too large")]
struct OverBound;

/// Unpacks `archive` into `folder`. Its files have at most `limit` bytes together.
pub(crate) fn unpack(archive: &Path, folder: &Path, limit: u64) -> Result<Unpacked, BadArchive> {
    let file = BufReader::new(File::open(archive).map_err(BadArchive::Scratch)?);
    let overhead = (MAX_ENTRIES as u64).saturating_mul(ENTRY_OVERHEAD);
    let left = limit.saturating_add(2 * MAX_METADATA).saturating_add(overhead);
    let mut archive = Archive::new(Bounded { inner: MultiGzDecoder::new(file), left });
    let taken = take(&mut archive, folder, limit)?;
    // Reads to the end, where the checksum is.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(|err| broken(&err, limit))?;
    Ok(taken)
}

fn take(
    archive: &mut Archive<Bounded<MultiGzDecoder<BufReader<File>>>>,
    folder: &Path,
    limit: u64,
) -> Result<Unpacked, BadArchive> {
    let bad = |err: io::Error| broken(&err, limit);
    let (mut metadata, mut full) = (None, None);
    let (mut files, mut left) = (Vec::new(), limit);
    let mut inside: Option<Option<String>> = None;
    let mut seen = HashSet::new();
    let mut long_path = None;
    // Counts of extension headers, and of entries.
    let mut counts = [0; 2];
    // Raw, since otherwise extension headers are read whatever their size.
    for entry in archive.entries().map_err(bad)?.raw(true) {
        let mut entry = entry.map_err(bad)?;
        let kind = entry.header().entry_type();
        let describes =
            matches!(kind, EntryType::GNULongName | EntryType::XHeader | EntryType::XGlobalHeader);
        let [before, entries] = &mut counts;
        let count = if describes { before } else { entries };
        *count += 1;
        if *count > MAX_ENTRIES {
            return Err(BadArchive::Entries);
        }
        if describes {
            long_path = extended_path(&mut entry, kind).map_err(bad)?.or(long_path);
            continue;
        }
        let path = long_path.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        let path = String::from_utf8(path)
            .map_err(|err| entry_error(&err.into_bytes(), "whose path is not UTF-8"))?;
        if path::is_companion(&path) {
            continue;
        }
        let refuse = |reason| BadArchive::Entry(path.clone(), reason);
        let (top, what) = path::parse(&path).map_err(refuse)?;
        match kind {
            EntryType::Regular => {}
            EntryType::Directory if what == Entry::Folder => {}
            EntryType::Directory => return Err(refuse("which is a folder where a file should be")),
            EntryType::Link | EntryType::Symlink => return Err(refuse("which is a link")),
            _ => return Err(refuse("which is neither a file nor a folder")),
        }
        if what == Entry::Folder && kind != EntryType::Directory {
            return Err(refuse("which is in no folder of a chat"));
        }
        if !path.trim_matches(['.', '/']).is_empty() {
            let top = top.map(str::to_owned);
            if *inside.get_or_insert_with(|| top.clone()) != top {
                return Err(refuse("which is not in the folder of the others"));
            }
        }
        match what {
            Entry::Folder => continue,
            // The original adds a second one to a restored chat; the last one counts.
            Entry::FullMetadata => {}
            _ if seen.insert(path.clone()) => {}
            _ => return Err(refuse("which occurs twice")),
        }
        let size = entry.size();
        if let Entry::File(place, name) = what {
            left = left.checked_sub(size).ok_or(BadArchive::TooLarge(limit))?;
            let at = folder.join(files.len().to_string());
            let mut file = File::create_new(&at).map_err(BadArchive::Scratch)?;
            let copied = copy(&mut entry, &mut file, limit)?;
            if copied != size {
                return Err(BadArchive::Broken(format!("the file {path:?} is not whole")));
            }
            files.push(UnpackedFile { place, name: Files::composed(name).into_owned(), size, at });
        } else {
            if size > MAX_METADATA {
                return Err(refuse("which is larger than any description of a chat"));
            }
            let mut text = String::new();
            entry.read_to_string(&mut text).map_err(bad)?;
            *(if what == Entry::Metadata { &mut metadata } else { &mut full }) = Some(text);
        }
    }
    let metadata = full.or(metadata).ok_or(BadArchive::NoMetadata)?;
    Ok(Unpacked { metadata, files })
}

/// Path of the next entry, if this extension header has one.
fn extended_path(
    entry: &mut tar::Entry<'_, impl Read>,
    kind: EntryType,
) -> io::Result<Option<Vec<u8>>> {
    if entry.size() > MAX_EXTENSION {
        return Err(io::Error::other("an extension header is too long"));
    }
    if kind == EntryType::GNULongName {
        let mut name = Vec::new();
        entry.read_to_end(&mut name)?;
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
        return Ok(Some(name));
    }
    let Some(extensions) = entry.pax_extensions()? else { return Ok(None) };
    let mut path = None;
    for extension in extensions {
        let extension = extension?;
        if extension.key_bytes() == b"path" {
            path = Some(extension.value_bytes().to_vec());
        }
    }
    Ok(path.filter(|_| kind == EntryType::XHeader))
}

/// Copies like [`io::copy`], but tells which side failed.
fn copy(from: &mut impl Read, to: &mut File, limit: u64) -> Result<u64, BadArchive> {
    let (mut buffer, mut copied) = (vec![0; 64 << 10], 0);
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(read) => read,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
            Err(err) => return Err(broken(&err, limit)),
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        io::Write::write_all(to, bytes).map_err(BadArchive::Scratch)?;
        copied += read as u64;
    }
}

fn entry_error(path: &[u8], reason: &'static str) -> BadArchive {
    BadArchive::Entry(String::from_utf8_lossy(path).into_owned(), reason)
}

fn broken(err: &io::Error, limit: u64) -> BadArchive {
    // Readers in between may wrap it.
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(err);
    while let Some(current) = cause {
        let inner = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if current.is::<OverBound>() {
            return BadArchive::TooLarge(limit);
        }
        cause = match inner {
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    BadArchive::Broken(err.to_string())
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let left = self.left.checked_sub(read as u64);
        self.left = left.ok_or_else(|| io::Error::other(OverBound))?;
        Ok(read)
    }
}
