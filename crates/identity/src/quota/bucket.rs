//! The buckets of one rate, by the generic cell rate algorithm (GCRA).
use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Payer;

/// Upper bound on payers with a bucket of their own. Further ones share one, until others are
/// forgotten.
pub(super) const MAX_PAYERS: usize = 100_000;

/// A bucket is one stamp: the time at which it is full again if nothing more is taken.
pub(super) struct Buckets {
    begin: Instant,
    /// Time in which one unit flows back.
    interval: Duration,
    /// Time in which an empty bucket fills, and so the bound on a burst.
    period: Duration,
    stamps: Mutex<Stamps>,
}

#[derive(Default)]
struct Stamps {
    own: HashMap<Payer, Duration>,
    shared: Duration,
}

impl Buckets {
    /// Buckets of `units`, which is not zero, that fill in `period`.
    pub(super) fn new(units: u32, period: Duration) -> Self {
        let interval = period / units;
        let (begin, period) = (Instant::now(), interval * units);
        Self { begin, interval, period, stamps: Mutex::default() }
    }

    /// Takes one unit. The error is the time until there is one.
    pub(super) fn take(&self, payer: &Payer) -> Result<(), Duration> {
        let now = self.begin.elapsed();
        let Stamps { own, shared } = &mut *self.stamps();
        let is_full = own.len() >= MAX_PAYERS;
        if let Some(stamp) = own.get_mut(payer) {
            *stamp = self.after_one(*stamp, now)?;
        } else if is_full {
            *shared = self.after_one(*shared, now)?;
        } else {
            own.insert(payer.clone(), self.after_one(Duration::ZERO, now)?);
        }
        Ok(())
    }

    /// [`Self::take`] without taking. A payer without a bucket of its own has room: it is not
    /// refused for what others did that share one.
    pub(super) fn look(&self, payer: &Payer) -> Result<(), Duration> {
        let now = self.begin.elapsed();
        let stamp = self.stamps().own.get(payer).copied();
        self.after_one(stamp.unwrap_or_default(), now).map(drop)
    }

    /// Forgets the buckets that are full.
    pub(super) fn forget_full(&self) {
        let now = self.begin.elapsed();
        let mut stamps = self.stamps();
        stamps.own.retain(|_, stamp| *stamp > now);
        stamps.own.shrink_to_fit();
    }

    /// The stamp after one unit is taken.
    fn after_one(&self, stamp: Duration, now: Duration) -> Result<Duration, Duration> {
        let full = stamp.max(now) + self.interval;
        let wait = full.saturating_sub(now + self.period);
        if wait.is_zero() { Ok(full) } else { Err(wait) }
    }

    fn stamps(&self) -> MutexGuard<'_, Stamps> {
        self.stamps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.stamps().own.len()
    }
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").field("interval", &self.interval).finish_non_exhaustive()
    }
}
