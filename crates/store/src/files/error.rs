//! Why a file was not stored, and what errors of object stores mean.
use std::{error::Error as StdError, io};

use crate::{BadConfig, Error, LockError};

type Source = Box<dyn StdError + Send + Sync>;

/// Why there is no place for files.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Config(#[from] BadConfig),
    #[error("cannot make the folder {0}: {1}")]
    Folder(String, #[source] io::Error),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("cannot write in the folder {0}: {1}")]
    Unwritable(String, #[source] io::Error),
    #[error("cannot use files.url: {0}")]
    Store(#[source] Source),
}

/// Nothing of the file was kept.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// It has more bytes than this.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// What sent it failed.
    #[error("the upload was broken off")]
    BrokenOff(#[source] Source),
    #[error("the disk of the files is full; make room")]
    Full,
    /// The folder is gone, or cannot be written to at present.
    #[error("files cannot be stored now; try again later")]
    Unavailable,
    #[error("the file could not be stored; see the log")]
    Storage(#[source] Source),
}

impl From<object_store::Error> for OpenError {
    fn from(why: object_store::Error) -> Self {
        Self::Store(why.into())
    }
}

/// Whether somewhere below an error a disk or a quota is used up.
fn is_full(why: &(dyn StdError + 'static)) -> bool {
    let causes = std::iter::successors(Some(why), |it: &&(dyn StdError + 'static)| (*it).source());
    causes
        .filter_map(|it| it.downcast_ref::<io::Error>())
        .any(|it| matches!(it.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

impl From<object_store::Error> for PutError {
    fn from(why: object_store::Error) -> Self {
        if is_full(&why) {
            return Self::Full;
        }
        tracing::error!(error = %why, "a file could not be stored");
        Self::Storage(why.into())
    }
}

impl From<object_store::Error> for Error {
    fn from(why: object_store::Error) -> Self {
        if is_full(&why) { Self::Full } else { Self::internal(why.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_found_below_whatever_wraps_it() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] io::Error);

        let wrapped = |kind: io::ErrorKind| object_store::Error::Generic {
            store: "test",
            source: Box::new(Outer(kind.into())),
        };
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        for kind in full {
            assert!(matches!(PutError::from(wrapped(kind)), PutError::Full));
            assert!(matches!(Error::from(wrapped(kind)), Error::Full));
        }
        let other = || wrapped(io::ErrorKind::PermissionDenied);
        assert!(matches!(PutError::from(other()), PutError::Storage(_)));
        assert!(matches!(Error::from(other()), Error::Internal(_)));
    }
}
