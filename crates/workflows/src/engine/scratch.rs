//! The folder where files are worked on, and what is done about those of processes that are gone.
use std::{fs, io, path::Path, sync::Arc};

use quadrille_store::{Lock, LockError};
use tempfile::TempDir;

/// A folder of this process in the one that is configured. Gone with the last of its clones; what a
/// crash leaves is removed by the next process.
#[derive(Clone, Debug)]
pub(crate) struct Scratch(Arc<Own>);

#[derive(Debug)]
struct Own {
    folder: TempDir,
    /// Locked as long as the process is there.
    _lock: Lock,
}

const LOCK: &str = "lock";

const PREFIX: &str = "process-";

impl Scratch {
    pub(crate) fn open(all: &Path) -> io::Result<Self> {
        fs::create_dir_all(all)?;
        for entry in fs::read_dir(all)?.flatten() {
            // One without a lock is only just being made.
            let is_one = entry.file_name().to_string_lossy().starts_with(PREFIX);
            if is_one && Lock::is_free(&entry.path().join(LOCK)) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(all)?;
        let lock = Lock::take(&folder.path().join(LOCK)).map_err(|why| match why {
            LockError::File(_, why) => why,
            why @ LockError::Taken(_) => io::Error::other(why),
        })?;
        Ok(Self(Arc::new(Own { folder, _lock: lock })))
    }

    /// A folder for one piece of work, gone with it.
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
