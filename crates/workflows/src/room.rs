//! How many requests there are at once that work on files of their own.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use quadrille_core::Payer;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room for requests, and for those of them that work; the others wait.
#[derive(Debug)]
pub(crate) struct Room {
    inside: Arc<Semaphore>,
    working: Arc<Semaphore>,
    /// Who has how many places.
    taken: Arc<Mutex<HashMap<Payer, usize>>>,
    /// The most for one of them: who sends slowly leaves as much to the others.
    most: usize,
}

/// A place for a request, as long as it is held.
#[derive(Debug)]
pub(crate) struct Inside {
    payer: Payer,
    taken: Arc<Mutex<HashMap<Payer, usize>>>,
    _permit: OwnedSemaphorePermit,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// All are taken.
    Full,
    /// Who asks has half of them.
    Enough,
}

// === impl Room ===

impl Room {
    pub(crate) fn new(workers: usize, waiting: usize) -> Self {
        let semaphore = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        let places = workers.saturating_add(waiting);
        Self {
            inside: semaphore(places),
            working: semaphore(workers),
            taken: Arc::default(),
            most: places.div_ceil(2),
        }
    }

    pub(crate) fn enter(&self, payer: Payer) -> Result<Inside, NoPlace> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.get(&payer).is_some_and(|it| *it >= self.most) {
            return Err(NoPlace::Enough);
        }
        let permit = Arc::clone(&self.inside).try_acquire_owned().map_err(|_| NoPlace::Full)?;
        *taken.entry(payer.clone()).or_default() += 1;
        Ok(Inside { payer, taken: Arc::clone(&self.taken), _permit: permit })
    }

    /// Wait until there is a worker. `None` only when there will be none any more.
    pub(crate) async fn work(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.working).acquire_owned().await.ok()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.payer) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.payer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_more_than_half_of_the_places() {
        let room = Room::new(1, 3);
        let [ann, bob, eve] = ["ann", "bob", "eve"].map(|it| Payer::User(it.into()));
        let enter = |who: &Payer| room.enter(who.clone());
        let mut held = vec![enter(&ann).unwrap(), enter(&ann).unwrap()];
        assert_eq!(enter(&ann).unwrap_err(), NoPlace::Enough);
        held.extend([enter(&bob).unwrap(), enter(&bob).unwrap()]);
        assert_eq!(enter(&eve).unwrap_err(), NoPlace::Full);
        drop(held.remove(0));
        held.push(enter(&ann).unwrap());
        drop(held);
        assert!(room.taken.lock().unwrap().is_empty());
        enter(&eve).unwrap();
    }
}
