//! Uploaded files: bytes in a folder or a bucket, streamed in and out.
mod config;
mod discard;
mod error;
mod link;
mod name;
mod put;
mod watch;

use std::{
    borrow::Cow,
    fmt,
    ops::Range,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, path::Path};
use uuid::Uuid;

pub use self::{
    config::Config,
    error::{FilesError, PutError},
};
use crate::{Error, Store};

/// Handle on the storage of files. Cloning is cheap.
#[derive(Clone)]
pub struct Files(Arc<FilesInner>);

struct FilesInner {
    store: Box<dyn ObjectStore>,
    /// `None` for a bucket.
    folder: Option<watch::Folder>,
    /// Database that records keys before their bytes are stored.
    ledger: OnceLock<Store>,
    /// Prefix of all keys.
    prefix: Path,
    /// Bytes of a part.
    part: usize,
    /// Signs links to a bucket.
    signer: Option<link::Signer>,
}

/// A file that is being read.
pub struct OpenedFile {
    /// Bytes of the whole file, also if only a range is read.
    pub size: u64,
    pub stream: BoxStream<'static, Result<Bytes, Error>>,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Files({})", self.0.store)
    }
}

impl fmt::Debug for OpenedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("size", &self.size).finish_non_exhaustive()
    }
}

// === impl Files ===

impl Files {
    /// Opens the storage, and creates the folder if needed. A bucket is not contacted before the first
    /// file.
    pub fn open(config: &Config) -> Result<Self, FilesError> {
        let config::Opened { store, prefix, part, signer } = config::open(config)?;
        let folder = config.folder().map(watch::Folder::new);
        Ok(Self(Arc::new(FilesInner {
            store,
            folder,
            ledger: OnceLock::new(),
            prefix,
            part,
            signer,
        })))
    }

    /// Records keys in `store` before their bytes are stored, so that [`Store::tidy`] finds the files
    /// that a kill leaves. Later calls are ignored.
    pub fn set_ledger(&self, store: &Store) {
        drop(self.0.ledger.set(store.clone()));
    }

    /// Makes a unique key: `USER/UUID/NAME`, in characters that every store and URL allows.
    pub fn key(user: &str, name: &str) -> String {
        let (user, name) = (name::plain(user), name::plain(name));
        format!("{user}/{}/{name}", Uuid::now_v7().simple())
    }

    /// Normalises a name to NFC, so that it is the same from every operating system.
    pub fn composed(name: &str) -> Cow<'_, str> {
        name::composed(name)
    }

    /// Makes a name safe: at most 100 bytes, no separator, no control character, no leading dot. Keeps
    /// the extension. Returns `file` if nothing is left.
    pub fn sanitise(name: &str) -> String {
        name::sanitise(name)
    }

    /// Reads a file, or its bytes within `range`. `None` if there is no such file.
    pub async fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<OpenedFile>, Error> {
        let Some(path) = self.path(key) else { return Ok(None) };
        let mut options = GetOptions::default();
        if let Some(range) = range {
            // Stores refuse a range that begins at the end, each with another error.
            let size = match self.0.store.head(&path).await {
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                meta => meta?.size,
            };
            let range = range.start.min(size)..range.end.min(size);
            if range.is_empty() {
                return Ok(Some(OpenedFile { size, stream: stream::empty().boxed() }));
            }
            options.range = Some(GetRange::Bounded(range));
        }
        match self.0.store.get_opts(&path, options).await {
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            found => {
                let found = found?;
                let size = found.meta.size;
                let stream = found.into_stream().map(|part| Ok(part?)).boxed();
                Ok(Some(OpenedFile { size, stream }))
            }
        }
    }

    /// Returns whether two files have the same bytes. True if one of them is missing.
    pub async fn is_same(&self, one: &str, other: &str) -> Result<bool, Error> {
        let (Some(one), Some(other)) = (self.get(one, None).await?, self.get(other, None).await?)
        else {
            return Ok(true);
        };
        if one.size != other.size {
            return Ok(false);
        }
        let (mut one, mut other) = (one.stream, other.stream);
        let (mut left, mut right) = (Bytes::new(), Bytes::new());
        loop {
            if left.is_empty() {
                left = one.next().await.transpose()?.unwrap_or_default();
            }
            if right.is_empty() {
                right = other.next().await.transpose()?.unwrap_or_default();
            }
            let both = left.len().min(right.len());
            if both == 0 {
                return Ok(left.is_empty() && right.is_empty());
            }
            if left.split_to(both) != right.split_to(both) {
                return Ok(false);
            }
        }
    }

    /// Deletes a file. A missing file is no error.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        let Some(path) = self.path(key) else { return Ok(()) };
        match self.0.store.delete(&path).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            deleted => Ok(deleted?),
        }
    }

    /// Returns the path of `key`; `None` if [`Self::key`] cannot have made it.
    fn path(&self, key: &str) -> Option<Path> {
        let good = |part: &str| name::is_plain(part) && !part.starts_with('.');
        if key.split('/').count() != 3 || !key.split('/').all(good) {
            return None;
        }
        let path = Path::parse(key).ok()?;
        Some(self.0.prefix.parts().chain(path.parts()).collect())
    }
}
