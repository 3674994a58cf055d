//! The buckets of one rate: as many as are in use, up to a bound.
use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use governor::{
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore, keyed::ShrinkableKeyedStateStore},
};

use super::Payer;

/// Payers that have a bucket of their own. Those who come when there are as many share one, until
/// others are forgotten.
pub(super) const PAYERS: usize = 100_000;

/// Governor has no way to ask without counting, but leaves to the store what is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ask {
    Take(Payer),
    /// Of whom there is no bucket, nothing is held against it. In particular nobody is refused for
    /// what strangers did who were too many to be told apart.
    Look(Payer),
}

#[derive(Default)]
pub(super) struct Buckets {
    own: Mutex<HashMap<Payer, InMemoryState>>,
    shared: InMemoryState,
}

impl Buckets {
    fn own(&self) -> MutexGuard<'_, HashMap<Payer, InMemoryState>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When `bucket` will be full; `None` if it always was.
fn read(bucket: &InMemoryState) -> Option<Nanos> {
    // An error is not written.
    bucket.measure_and_replace(&NotKeyed::NonKey, Err::<((), Nanos), _>).err().flatten()
}

impl StateStore for Buckets {
    type Key = Ask;

    fn measure_and_replace<T, F, E>(&self, ask: &Ask, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut own = self.own();
        let payer = match ask {
            Ask::Take(payer) => payer,
            Ask::Look(payer) => {
                let full = own.get(payer).and_then(read);
                return decide(full).map(|(outcome, _)| outcome);
            }
        };
        if let Some(bucket) = own.get(payer) {
            return bucket.measure_and_replace(&NotKeyed::NonKey, decide);
        }
        if own.len() >= PAYERS {
            return self.shared.measure_and_replace(&NotKeyed::NonKey, decide);
        }
        let bucket = own.entry(payer.clone()).or_default();
        bucket.measure_and_replace(&NotKeyed::NonKey, decide)
    }
}

impl ShrinkableKeyedStateStore<Ask> for Buckets {
    fn retain_recent(&self, drop_below: Nanos) {
        self.own().retain(|_, bucket| read(bucket).is_some_and(|full| full > drop_below));
    }

    fn shrink_to_fit(&self) {
        self.own().shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.own().len()
    }

    fn is_empty(&self) -> bool {
        self.own().is_empty()
    }
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").field("own", &self.len()).finish_non_exhaustive()
    }
}
