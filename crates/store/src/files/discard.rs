//! Deletes the bytes of files without a row.
use super::Files;
use crate::Error;

/// Keys that are deleted from the ledger in one transaction.
const KEYS_PER_BATCH: usize = 100;

impl Files {
    /// Deletes the bytes under `keys`, whose rows are deleted already, and then the keys from the ledger.
    /// Keys whose bytes cannot be deleted now stay in the ledger for
    /// [`Store::tidy`](crate::Store::tidy).
    pub async fn discard(&self, keys: &[String]) {
        for batch in keys.chunks(KEYS_PER_BATCH) {
            let mut gone = Vec::new();
            for key in batch {
                match self.delete_if_usable(key).await {
                    Ok(()) => gone.push(key.as_str()),
                    Err(err) => {
                        tracing::warn!(error = ?err, key, "cannot delete a discarded file yet");
                    }
                }
            }
            let Some(ledger) = self.0.ledger.get() else { continue };
            if let Err(err) = ledger.forget_files(&gone).await {
                tracing::warn!(error = %err, "deleted files stay in the ledger");
            }
        }
    }

    /// Deletes a file unless the folder has a fault: a missing folder may come back with its files.
    async fn delete_if_usable(&self, key: &str) -> Result<(), Error> {
        self.check_usable().await.map_err(|_| Error::Unavailable)?;
        self.delete(key).await
    }

    /// Removes a file, or the parts of an incomplete one.
    pub(crate) async fn remove(&self, key: &str) -> Result<(), Error> {
        if self.path(key).is_some() {
            self.remove_parts(key).await;
        }
        self.delete_if_usable(key).await
    }
}
