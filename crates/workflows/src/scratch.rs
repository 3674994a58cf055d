//! The scratch folder, and the removal of those that crashed processes left.
use std::{fs, io, path::Path, sync::Arc};

use quadrille_store::{Lock, LockError};
use tempfile::TempDir;

/// This process's folder below the configured one. Removed with the last clone; after a crash, the
/// next process removes it.
#[derive(Clone, Debug)]
pub(crate) struct Scratch(Arc<Own>);

#[derive(Debug)]
struct Own {
    folder: TempDir,
    /// Held while the process lives.
    _lock: Lock,
}

const LOCK: &str = "lock";

const PREFIX: &str = "process-";

impl Scratch {
    pub(crate) fn open(all: &Path) -> io::Result<Self> {
        fs::create_dir_all(all)?;
        for entry in fs::read_dir(all)?.flatten() {
            // A folder without a lock is being created.
            let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
            if is_ours && Lock::is_free(&entry.path().join(LOCK)) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(all)?;
        let lock = Lock::take(&folder.path().join(LOCK)).map_err(|err| match err {
            LockError::File(_, err) => err,
            err @ LockError::Taken(_) => io::Error::other(err),
        })?;
        Ok(Self(Arc::new(Own { folder, _lock: lock })))
    }

    /// Creates a folder for one task. Removed when it is dropped.
    pub(crate) fn folder(&self) -> io::Result<TempDir> {
        TempDir::new_in(self.0.folder.path())
    }

    #[cfg(test)]
    fn path(&self) -> std::path::PathBuf {
        self.0.folder.path().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_process_left_is_removed_and_what_one_uses_is_not() {
        let all = tempfile::tempdir().unwrap();
        let used = Scratch::open(all.path()).unwrap();
        let left = all.path().join("process-gone");
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(left.join("half"), "x").unwrap();
        let other = all.path().join("not-ours");
        fs::create_dir(&other).unwrap();
        let again = Scratch::open(all.path()).unwrap();
        assert!(!left.exists() && other.exists() && used.path().exists());
        let folder = again.folder().unwrap().path().to_owned();
        assert!(folder.starts_with(again.path()) && !folder.exists());
        let path = again.path();
        drop(again);
        assert!(!path.exists());
    }
}
