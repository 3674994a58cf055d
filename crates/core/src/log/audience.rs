//! The readers of a log, and which of them are parked.
use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

/// All readers of a log, in no order. Every operation takes the same time whatever their number.
#[derive(Debug)]
pub(super) struct Audience<T> {
    all: Vec<Arc<T>>,
    parked: Vec<Arc<T>>,
    /// Counts how often the parked readers were taken; a reader is parked if it parked this round.
    round: u64,
}

/// A reader's places in the lists of its [`Audience`]. Used under the log's lock only, and atomic
/// because the compiler cannot see this.
#[derive(Debug, Default)]
pub(super) struct ListPlaces {
    round: AtomicU64,
    parked: AtomicUsize,
    all: AtomicUsize,
}

impl<T: AsRef<ListPlaces>> Audience<T> {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The reader that the topic counts for.
    pub(super) fn first(&self) -> Option<&Arc<T>> {
        self.all.first()
    }

    pub(super) fn add(&mut self, reader: &Arc<T>) {
        (**reader).as_ref().all.store(self.all.len(), Relaxed);
        self.all.push(Arc::clone(reader));
    }

    /// Removes `reader`, which may be parked. True if it was the [first](Self::first).
    pub(super) fn remove(&mut self, reader: &T) -> bool {
        self.unpark(reader);
        let place = reader.as_ref().all.load(Relaxed);
        self.all.swap_remove(place);
        if let Some(moved) = self.all.get(place) {
            (**moved).as_ref().all.store(place, Relaxed);
        }
        if self.all.is_empty() {
            self.all = Vec::new();
        }
        place == 0
    }

    pub(super) fn park(&mut self, reader: &Arc<T>) {
        let places = (**reader).as_ref();
        places.round.store(self.round, Relaxed);
        places.parked.store(self.parked.len(), Relaxed);
        self.parked.push(Arc::clone(reader));
    }

    /// Takes all parked readers, to be woken.
    pub(super) fn take_parked(&mut self) -> Vec<Arc<T>> {
        self.round += 1;
        mem::take(&mut self.parked)
    }

    fn unpark(&mut self, reader: &T) {
        let places = reader.as_ref();
        if places.round.load(Relaxed) != self.round {
            return;
        }
        let place = places.parked.load(Relaxed);
        self.parked.swap_remove(place);
        if let Some(moved) = self.parked.get(place) {
            (**moved).as_ref().parked.store(place, Relaxed);
        }
    }
}

impl<T> Default for Audience<T> {
    fn default() -> Self {
        // No reader has parked in round 1 yet: places begin with round 0.
        Self { all: Vec::new(), parked: Vec::new(), round: 1 }
    }
}
