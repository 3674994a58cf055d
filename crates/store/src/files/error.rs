//! Errors of file storage, and the meaning of errors of object stores.
use std::{error::Error as StdError, io};

use crate::{BadConfig, Error, LockError, error::BoxError};

/// Reason why the storage of files was not opened.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error(transparent)]
    Config(#[from] BadConfig),
    #[error("cannot create the folder {0}: {1}")]
    Folder(String, #[source] io::Error),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("cannot write in the folder {0}: {1}")]
    Unwritable(String, #[source] io::Error),
    #[error("cannot use files.url: {0}")]
    Store(#[source] BoxError),
}

/// Reason why a file was not stored. Nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The limit in bytes.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// The stream of the client failed.
    #[error("the upload was interrupted")]
    BrokenOff(#[source] BoxError),
    #[error("the disk of the files is full; free some space")]
    Full,
    /// The folder is missing, or not writable at present.
    #[error("files cannot be stored now; try again later")]
    Unavailable,
    #[error("the file could not be stored; see the log")]
    Storage(#[source] BoxError),
}

impl From<object_store::Error> for FilesError {
    fn from(err: object_store::Error) -> Self {
        Self::Store(err.into())
    }
}

/// Returns whether the cause of an error is a full disk or a used up quota.
fn is_full(err: &(dyn StdError + 'static)) -> bool {
    let causes =
        std::iter::successors(Some(err), |cause: &&(dyn StdError + 'static)| (*cause).source());
    causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| {
        matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    })
}

impl From<object_store::Error> for PutError {
    fn from(err: object_store::Error) -> Self {
        if is_full(&err) {
            return Self::Full;
        }
        tracing::error!(error = %err, "a file could not be stored");
        Self::Storage(err.into())
    }
}

impl From<object_store::Error> for Error {
    fn from(err: object_store::Error) -> Self {
        if is_full(&err) { Self::Full } else { Self::internal(err.into()) }
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
