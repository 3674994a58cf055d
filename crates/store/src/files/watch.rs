//! Looks after the folder of the files: whether it is where it was, ours, and can be written to. A
//! bucket is looked after by who runs it.
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{Files, OpenError, PutError};
use crate::{
    Fault, Lock, LockError,
    health::{Health, Look},
    writable,
};

/// The folder that files are in.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Held as long as the process is there, once it was asked for.
    lock: Mutex<Option<Lock>>,
    health: Health,
}

/// How often to look.
const EVERY: Duration = Duration::from_secs(2);

/// How long a file system may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// The part as operators know it.
const PART: &str = "files";

/// A name that no file has: it is not at the depth of a key.
const LOCK: &str = ".quadrille.lock";

// === impl Folder ===

impl Folder {
    pub(super) fn new(path: &str) -> Self {
        Self { path: path.into(), lock: Mutex::default(), health: Health::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Keep other processes from this folder.
    fn lock(&self) -> Result<(), LockError> {
        let lock = Lock::take(&self.path.join(LOCK))?;
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = held.replace(lock) {
            before.hold();
        }
        Ok(())
    }

    /// Whether it is the folder that was locked. One that was not is not looked at.
    fn is_ours(&self) -> bool {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        lock.as_ref().is_none_or(Lock::is_there)
    }

    fn look(&self) -> Option<Fault> {
        if !self.path.is_dir() {
            return Some(Fault::Gone);
        }
        // It may have been made again.
        if !self.is_ours()
            && let Err(why) = self.lock()
        {
            return Some(match why {
                LockError::Taken(_) => Fault::Taken,
                LockError::File(_, why) => fault(&why),
            });
        }
        writable::probe(&self.path).err().map(|why| fault(&why))
    }
}

fn fault(why: &io::Error) -> Fault {
    match why.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::Full,
        io::ErrorKind::NotFound => Fault::Gone,
        _ => Fault::Unwritable,
    }
}

impl Drop for Folder {
    /// Some thread may be writing still.
    fn drop(&mut self) {
        let lock = self.lock.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = lock.take() {
            lock.hold();
        }
    }
}

// === impl Files ===
impl Files {
    /// Keep other processes from the folder until this one has ended. Nothing to do for a bucket.
    pub fn lock(&self) -> Result<(), OpenError> {
        self.folder().map_or(Ok(()), |folder| Ok(folder.lock()?))
    }

    /// Why nothing can be written now, as far as was seen last.
    pub fn fault(&self) -> Option<Fault> {
        self.folder().and_then(|folder| folder.health.fault())
    }

    /// Look after the folder, for ever.
    pub async fn watch(&self) {
        if self.folder().is_none() {
            return;
        }
        loop {
            tokio::time::sleep(EVERY).await;
            let found = self.ask(Folder::look).await.unwrap_or(Some(Fault::Silent));
            self.found(found);
        }
    }

    /// Refuses what would be written to a folder that is of no use.
    pub(super) async fn usable(&self) -> Result<(), PutError> {
        if self.fault().is_some() {
            return Err(PutError::Unavailable);
        }
        self.missing().await.map_or(Ok(()), |_| Err(PutError::Unavailable))
    }

    /// Refuses to call stored what was written to a folder that nobody will find. A file system that
    /// does not answer says nothing against a file that is complete.
    pub(super) async fn was_there(&self) -> Result<(), PutError> {
        match self.missing().await {
            None | Some(Fault::Silent) => Ok(()),
            Some(_) => Err(PutError::Unavailable),
        }
    }

    /// What keeps the folder from being found at its path. It is remembered.
    async fn missing(&self) -> Option<Fault> {
        self.folder()?;
        let fault = match self.ask(Folder::is_ours).await {
            Some(true) => return None,
            Some(false) => Fault::Gone,
            None => Fault::Silent,
        };
        self.found(Some(fault));
        Some(fault)
    }

    /// Whether no other process can be writing here.
    pub(crate) fn is_locked(&self) -> bool {
        self.folder().is_some_and(|folder| {
            folder.lock.lock().unwrap_or_else(PoisonError::into_inner).is_some()
        })
    }

    /// Remove what a folder has of the file at `key`, which has a folder of its own. What a bucket has
    /// of incomplete uploads is removed by a rule of the bucket.
    pub(super) async fn remove_parts(&self, key: &str) {
        let Some((own, _)) = key.rsplit_once('/') else { return };
        let own = own.to_owned();
        let removed = self.ask(move |folder| {
            let parts = folder.path.join(own);
            fs::read_dir(&parts)?.flatten().try_for_each(|it| fs::remove_file(it.path()))?;
            fs::remove_dir(&parts)
        });
        match removed.await {
            Some(Err(why)) if why.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(error = %why, key, "parts of a file that nobody knows are left");
            }
            _ => {}
        }
    }

    fn found(&self, fault: Option<Fault>) {
        if let Some(folder) = self.folder() {
            folder.health.set(Look::Quick, PART, fault);
        }
    }

    fn folder(&self) -> Option<&Folder> {
        self.0.folder.as_ref()
    }

    /// Ask the file system something. `None` if it does not answer.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Folder) -> T + Send + 'static,
    ) -> Option<T> {
        let files = self.clone();
        let asked = tokio::task::spawn_blocking(move || files.folder().map(question));
        tokio::time::timeout(ANSWER, asked).await.ok()?.ok()?
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
            let (before, after) = tokio::join!(files.usable(), files.was_there());
            assert!(matches!(before, Err(PutError::Unavailable)) && after.is_ok());
            assert_eq!(files.fault(), Some(Fault::Silent));
            drop(silence);
            fs::remove_dir_all(&folder).unwrap();
            assert!(matches!(files.was_there().await, Err(PutError::Unavailable)));
            assert_eq!(files.fault(), Some(Fault::Gone));
        });
    }
}
