//! File locks: one process at a time, until it has ended.
use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Locks that are held until the system releases them at the end of the process.
static HELD: Mutex<Vec<Lock>> = Mutex::new(Vec::new());

/// A lock that this process holds. Dropping releases it.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

/// Reason why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another process uses it (it holds {0}); stop that one, or use another path")]
    Taken(PathBuf),
    #[error("cannot create the file {0}: {1}")]
    File(PathBuf, #[source] io::Error),
}

// === impl Lock ===

impl Lock {
    /// Locks the file at `path`, which is created with its folder if needed. Never waits.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let failed = |err| LockError::File(path.to_owned(), err);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(failed)?;
        }
        loop {
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(false).mode(0o600).open(path);
            let file = file.map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(LockError::Taken(path.to_owned())),
                Err(TryLockError::Error(err)) => return Err(failed(err)),
            }
            let lock = Self { path: path.to_owned(), file };
            // The file may have been removed between the two.
            if lock.is_there() {
                return Ok(lock);
            }
        }
    }

    /// Returns whether no process holds the lock at `path`. False if there is no file: it may be
    /// about to be created.
    pub fn is_free(path: &Path) -> bool {
        File::open(path).is_ok_and(|file| file.try_lock().is_ok())
    }

    /// Returns whether the locked file is still the one at its path.
    pub fn is_there(&self) -> bool {
        is_at(&self.file, &self.path)
    }

    /// Holds the lock until the process has ended.
    pub fn hold(self) {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).push(self);
    }
}

/// Returns whether `file` is the one at `path`.
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    let id = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    let (ours, there) = (file.metadata().map(id), path.metadata().map(id));
    matches!((ours, there), (Ok(ours), Ok(there)) if ours == there)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use e2e::scratch::Scratch;

    use super::*;

    #[test]
    fn a_lock_is_held_once_until_it_is_dropped() {
        let home = Scratch::new();
        let path = home.path().join("a/b.lock");
        let lock = Lock::take(&path).unwrap();
        assert!(matches!(Lock::take(&path), Err(LockError::Taken(at)) if at == path));
        assert!(!Lock::is_free(&path));
        drop(lock);
        assert!(Lock::is_free(&path) && !Lock::is_free(&home.path().join("none")));
        Lock::take(&path).unwrap();
    }

    #[test]
    fn a_lock_whose_file_is_removed_or_replaced_is_not_there() {
        let home = Scratch::new();
        let path = home.path().join("lock");
        let lock = Lock::take(&path).unwrap();
        assert!(lock.is_there());
        fs::remove_file(&path).unwrap();
        assert!(!lock.is_there());
        let other = Lock::take(&path).unwrap();
        assert!(other.is_there() && !lock.is_there());
    }
}
