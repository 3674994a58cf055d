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
    error::{OpenError, PutError},
};
use crate::{Error, Store};

/// The place of the files. Cloning shares it.
#[derive(Clone)]
pub struct Files(Arc<Place>);

struct Place {
    store: Box<dyn ObjectStore>,
    /// If it is a folder.
    folder: Option<watch::Folder>,
    /// Where keys are written down before there are bytes under them.
    ledger: OnceLock<Store>,
    /// What all keys are below.
    prefix: Path,
    /// Bytes that are written at once.
    part: usize,
    /// What signs the addresses of a bucket.
    signer: Option<link::Signer>,
}

/// A file that is read.
pub struct Object {
    /// Bytes of the whole file, whatever part of it was asked for.
    pub size: u64,
    pub stream: BoxStream<'static, Result<Bytes, Error>>,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Files({})", self.0.store)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("size", &self.size).finish_non_exhaustive()
    }
}

// === impl Files ===

impl Files {
    /// Makes the folder if there is none. A bucket is not asked before the first file.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        let config::Opened { store, prefix, part, signer } = config::open(config)?;
        let folder = config.folder().map(watch::Folder::new);
        Ok(Self(Arc::new(Place { store, folder, ledger: OnceLock::new(), prefix, part, signer })))
    }

    /// Write down in `store` what is about to be stored, so that [`Store::tidy`] finds what a kill
    /// leaves. Only the first store counts.
    pub fn write_down_in(&self, store: &Store) {
        // A second one would be ignored.
        drop(self.0.ledger.set(store.clone()));
    }

    /// A key that no file has: `USER/UUID/NAME`, in letters that every store and address takes.
    pub fn key(user: &str, name: &str) -> String {
        let (user, name) = (name::plain(user), name::plain(name));
        format!("{user}/{}/{name}", Uuid::now_v7().simple())
    }

    /// A name with its letters and marks as one character each where there is one (NFC): the same
    /// name, however the system writes it that it comes from.
    pub fn composed(name: &str) -> Cow<'_, str> {
        name::composed(name)
    }

    /// What a file of this name is called here: at most 100 bytes, no separator, no control
    /// character, no leading dot, its extension kept; `file` if nothing is left.
    pub fn sanitise(name: &str) -> String {
        name::sanitise(name)
    }

    /// The file, or the part of it within `range` that there is.
    pub async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Object>, Error> {
        let Some(path) = self.path(key) else { return Ok(None) };
        let mut options = GetOptions::default();
        if let Some(range) = range {
            // A store would refuse a range that begins at the end, each in its own way.
            let size = match self.0.store.head(&path).await {
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                meta => meta?.size,
            };
            let range = range.start.min(size)..range.end.min(size);
            if range.is_empty() {
                return Ok(Some(Object { size, stream: stream::empty().boxed() }));
            }
            options.range = Some(GetRange::Bounded(range));
        }
        match self.0.store.get_opts(&path, options).await {
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            found => {
                let found = found?;
                let size = found.meta.size;
                let stream = found.into_stream().map(|part| Ok(part?)).boxed();
                Ok(Some(Object { size, stream }))
            }
        }
    }

    /// Whether two files have the same bytes. One that is not there could have any.
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

    /// Whether it was there or not.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        let Some(path) = self.path(key) else { return Ok(()) };
        match self.0.store.delete(&path).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            deleted => Ok(deleted?),
        }
    }

    /// Where `key` is: nowhere, if [`Self::key`] cannot have made it.
    fn path(&self, key: &str) -> Option<Path> {
        let good = |part: &str| name::is_plain(part) && !part.starts_with('.');
        if key.split('/').count() != 3 || !key.split('/').all(good) {
            return None;
        }
        let path = Path::parse(key).ok()?;
        Some(self.0.prefix.parts().chain(path.parts()).collect())
    }
}
