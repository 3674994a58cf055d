//! One lock per name.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

/// Locks by name. A lock that is neither held nor awaited takes no memory.
#[derive(Debug, Default)]
pub(crate) struct Locks(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

/// Holds the lock of a name until it is dropped.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    locks: &'a Locks,
    name: String,
    /// `None` while waiting, and after the release.
    guard: Option<OwnedMutexGuard<()>>,
}

impl Locks {
    /// Waits for the lock of `name`. Locks of other names do not matter.
    pub(crate) async fn lock(&self, name: &str) -> Locked<'_> {
        // Created before the wait, so that its drop cleans up if the wait is cancelled.
        let mut locked = Locked { locks: self, name: name.to_owned(), guard: None };
        let lock = Arc::clone(self.all().entry(name.to_owned()).or_default());
        locked.guard = Some(lock.lock_owned().await);
        locked
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.guard = None;
        let mut all = self.locks.all();
        if all.get(&self.name).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            all.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_name_is_locked_once_and_forgotten_afterwards() {
        let locks = Locks::default();
        let one = locks.lock("a").await;
        let other = locks.lock("b").await;
        let mut waiting = Box::pin(locks.lock("a"));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(one);
        let one = waiting.await;
        // A cancelled wait leaves nothing either.
        assert!(locks.lock("b").now_or_never().is_none());
        drop((one, other));
        assert!(locks.all().is_empty());
    }
}
