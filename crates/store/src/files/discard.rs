//! Deleting the bytes of files that nobody knows any more.
use super::Files;
use crate::Error;

/// Keys that are taken out of the ledger at once.
const BATCH: usize = 100;

impl Files {
    /// Delete the bytes under `keys`, which nobody knows any more, and take the keys out of the ledger.
    /// What cannot be deleted now stays in the ledger, and [`Store::tidy`](crate::Store::tidy) tries it
    /// again.
    pub async fn discard(&self, keys: &[String]) {
        for batch in keys.chunks(BATCH) {
            let mut gone = Vec::new();
            for key in batch {
                match self.delete_here(key).await {
                    Ok(()) => gone.push(key.as_str()),
                    Err(why) => {
                        tracing::warn!(error = ?why, key, "a file that nobody needs stays for a while");
                    }
                }
            }
            let Some(ledger) = self.0.ledger.get() else { continue };
            if let Err(why) = ledger.forget_files(&gone).await {
                tracing::warn!(error = %why, "files that are gone are looked for once more");
            }
        }
    }

    /// In a folder that is gone, no file is there; it may come back with all of them.
    async fn delete_here(&self, key: &str) -> Result<(), Error> {
        self.usable().await.map_err(|_| Error::Unavailable)?;
        self.delete(key).await
    }

    /// Remove a file of which there may be parts only.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), Error> {
        if self.path(key).is_some() {
            self.remove_parts(key).await;
        }
        self.delete_here(key).await
    }
}
