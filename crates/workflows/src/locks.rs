//! One lock for each name that somebody holds or waits for.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

/// Locks by name. One that nobody holds or waits for takes no memory.
#[derive(Debug, Default)]
pub(crate) struct Locks(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

/// Keeps others from what it names.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    locks: &'a Locks,
    name: String,
    /// `None` while it is waited for, and once it is given back.
    guard: Option<OwnedMutexGuard<()>>,
}

impl Locks {
    /// Waits for the lock of `name`; those of other names are no hindrance.
    pub(crate) async fn lock(&self, name: &str) -> Locked<'_> {
        // Before the wait, which may be given up.
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
        // Who gives up waiting leaves nothing either.
        assert!(locks.lock("b").now_or_never().is_none());
        drop((one, other));
        assert!(locks.all().is_empty());
    }
}
