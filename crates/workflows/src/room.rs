//! How many requests there are at once that work on files of their own.
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room for requests, and for those of them that work; the others wait.
#[derive(Debug)]
pub(crate) struct Room {
    inside: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

impl Room {
    pub(crate) fn new(workers: usize, waiting: usize) -> Self {
        let most = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self { inside: most(workers.saturating_add(waiting)), working: most(workers) }
    }

    /// A place for a request as long as it is held; `None` if there are as many as there may be.
    pub(crate) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.inside).try_acquire_owned().ok()
    }

    /// Wait until there is a worker. `None` only when there will be none any more.
    pub(crate) async fn work(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.working).acquire_owned().await.ok()
    }
}
