//! Monitors the folder of files: that it is at its path, locked by this process, and writable. Buckets
//! are not monitored.
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{Files, FilesError, PutError};
use crate::{
    Fault, Lock, LockError,
    health::{Check, Health},
    writable,
};

/// The folder of files.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Held until the process ends, once it was taken.
    lock: Mutex<Option<Lock>>,
    health: Health,
}

/// Time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Longest wait for the file system.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Name of the part in the log.
const PART: &str = "files";

/// Lock file. No upload can have this name: keys have three parts.
const LOCK_FILE: &str = ".quadrille.lock";

// === impl Folder ===

impl Folder {
    pub(super) fn new(path: &str) -> Self {
        Self { path: path.into(), lock: Mutex::default(), health: Health::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps other processes from this folder.
    fn lock(&self) -> Result<(), LockError> {
        let lock = Lock::take(&self.path.join(LOCK_FILE))?;
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = held.replace(lock) {
            before.hold();
        }
        Ok(())
    }

    /// Returns whether the folder is the one that was locked. True if none was.
    fn is_ours(&self) -> bool {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        lock.as_ref().is_none_or(Lock::is_there)
    }

    fn check(&self) -> Option<Fault> {
        if !self.path.is_dir() {
            return Some(Fault::Gone);
        }
        // The folder may be a new one.
        if !self.is_ours()
            && let Err(err) = self.lock()
        {
            return Some(match err {
                LockError::Taken(_) => Fault::Taken,
                LockError::File(_, err) => fault(&err),
            });
        }
        writable::probe(&self.path).err().map(|err| fault(&err))
    }
}

fn fault(err: &io::Error) -> Fault {
    match err.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::Full,
        io::ErrorKind::NotFound => Fault::Gone,
        _ => Fault::Unwritable,
    }
}

impl Drop for Folder {
    /// Holds the lock on: a thread may still be writing.
    fn drop(&mut self) {
        let lock = self.lock.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = lock.take() {
            lock.hold();
        }
    }
}

// === impl Files ===
impl Files {
    /// Keeps other processes from the folder until this one has ended. Does nothing for a bucket.
    pub fn lock(&self) -> Result<(), FilesError> {
        self.folder().map_or(Ok(()), |folder| Ok(folder.lock()?))
    }

    /// Returns the fault that the latest check found.
    pub fn fault(&self) -> Option<Fault> {
        self.folder().and_then(|folder| folder.health.fault())
    }

    /// Monitors the folder, for ever. Returns at once for a bucket.
    pub async fn watch(&self) {
        if self.folder().is_none() {
            return;
        }
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            let set_fault = self.run_blocking(Folder::check).await.unwrap_or(Some(Fault::Silent));
            self.set_fault(set_fault);
        }
    }

    /// Fails if the folder has a fault, before anything is written.
    pub(super) async fn check_usable(&self) -> Result<(), PutError> {
        if self.fault().is_some() {
            return Err(PutError::Unavailable);
        }
        self.find_missing().await.map_or(Ok(()), |_| Err(PutError::Unavailable))
    }

    /// Fails if the folder was removed while it was written to. A file system that does not answer is
    /// no failure: the file is complete.
    pub(super) async fn check_still_there(&self) -> Result<(), PutError> {
        match self.find_missing().await {
            None | Some(Fault::Silent) => Ok(()),
            Some(_) => Err(PutError::Unavailable),
        }
    }

    /// Checks that the folder is at its path, and stores the fault if it is not.
    async fn find_missing(&self) -> Option<Fault> {
        self.folder()?;
        let fault = match self.run_blocking(Folder::is_ours).await {
            Some(true) => return None,
            Some(false) => Fault::Gone,
            None => Fault::Silent,
        };
        self.set_fault(Some(fault));
        Some(fault)
    }

    /// Returns whether the folder is locked, so that no other process writes in it.
    pub(crate) fn is_locked(&self) -> bool {
        self.folder().is_some_and(|folder| {
            folder.lock.lock().unwrap_or_else(PoisonError::into_inner).is_some()
        })
    }

    /// Removes the parts of the file at `key`, which has a folder of its own. A bucket removes incomplete
    /// uploads by a rule of its own.
    pub(super) async fn remove_parts(&self, key: &str) {
        let Some((own, _)) = key.rsplit_once('/') else { return };
        let own = own.to_owned();
        let removed = self.run_blocking(move |folder| {
            let parts = folder.path.join(own);
            fs::read_dir(&parts)?.flatten().try_for_each(|part| fs::remove_file(part.path()))?;
            fs::remove_dir(&parts)
        });
        match removed.await {
            Some(Err(err)) if err.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(error = %err, key, "cannot remove the parts of an orphaned file");
            }
            _ => {}
        }
    }

    fn set_fault(&self, fault: Option<Fault>) {
        if let Some(folder) = self.folder() {
            folder.health.set(Check::Quick, PART, fault);
        }
    }

    fn folder(&self) -> Option<&Folder> {
        self.0.folder.as_ref()
    }

    /// Runs `work` on a blocking thread. `None` if the file system does not answer in time.
    async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> T + Send + 'static,
    ) -> Option<T> {
        let files = self.clone();
        let asked = tokio::task::spawn_blocking(move || files.folder().map(work));
        tokio::time::timeout(ANSWER_TIMEOUT, asked).await.ok()?.ok()?
    }
}

#[cfg(test)]
mod tests {
    use e2e::scratch::Scratch;

    use super::{super::Config, *};
    use crate::watch::tests::{runtime, silence};

    #[test]
    fn a_file_system_that_does_not_answer_is_told_from_a_folder_that_is_gone() {
        runtime().block_on(async {
            let home = Scratch::new();
            let folder = home.path().join("files");
            let url = format!("file://{}", folder.display());
            let files = Files::open(&Config { url, ..Config::default() }).unwrap();
            files.lock().unwrap();
            let silence = silence();
            let (before, after) = tokio::join!(files.check_usable(), files.check_still_there());
            assert!(matches!(before, Err(PutError::Unavailable)) && after.is_ok());
            assert_eq!(files.fault(), Some(Fault::Silent));
            drop(silence);
            fs::remove_dir_all(&folder).unwrap();
            assert!(matches!(files.check_still_there().await, Err(PutError::Unavailable)));
            assert_eq!(files.fault(), Some(Fault::Gone));
        });
    }
}
