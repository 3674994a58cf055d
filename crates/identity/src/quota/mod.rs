//! Rates of clients in a second or a minute, over every protocol together.
//!
//! Each rate has a bucket for each [`Payer`]: a user, wherever its connections are, or an address
//! without sign-in. A bucket that was left alone for its period is full, so that is the largest
//! burst.
mod bucket;
mod forged;
mod payer;
mod rate;

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use quadrille_core::{Life, Limits, telemetry};

use self::bucket::Buckets;
pub use self::{
    payer::Payer,
    rate::{Exceeded, Rate},
};

/// Time between two removals of full buckets.
const FORGET_INTERVAL: Duration = Duration::from_secs(10);

/// The buckets of all payers. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Quotas(Arc<[Limit; 4]>);

#[derive(Debug, Default)]
struct Limit {
    /// Zero is no limit, and then there are no buckets.
    rate: AtomicU32,
    buckets: RwLock<Option<Buckets>>,
}

/// Lower bound on the wait that is told: none would read as no wait at all.
const MIN_WAIT: Duration = Duration::from_millis(1);

// === impl Quotas ===

impl Quotas {
    pub fn new(limits: &Limits) -> Self {
        let quotas = Self::default();
        quotas.reload(limits);
        quotas
    }

    /// Applies these rates from now on. The buckets of a rate that changes are all full again; those
    /// of the others stay.
    pub fn reload(&self, limits: &Limits) {
        for rate in Rate::ALL {
            self.limit(rate).set(rate, rate.of(limits));
        }
    }

    /// Forgets full buckets from time to time, until the process stops.
    pub fn start(&self, life: &Life) {
        let (quotas, stopping) = (self.clone(), life.clone());
        life.spawn("quotas", async move {
            let mut ticks = tokio::time::interval(FORGET_INTERVAL);
            loop {
                tokio::select! {
                    () = stopping.draining() => return,
                    _ = ticks.tick() => quotas.forget(),
                }
            }
        });
    }

    /// Counts one, if there is room for it.
    pub fn take(&self, rate: Rate, payer: &Payer) -> Result<(), Exceeded> {
        self.ask(rate, |buckets| buckets.take(payer))
    }

    /// Checks that there is room for one more, and counts nothing. A payer without a bucket has room.
    pub fn look(&self, rate: Rate, payer: &Payer) -> Result<(), Exceeded> {
        self.ask(rate, |buckets| buckets.look(payer))
    }

    fn ask(
        &self,
        rate: Rate,
        ask: impl FnOnce(&Buckets) -> Result<(), Duration>,
    ) -> Result<(), Exceeded> {
        let limit = self.limit(rate);
        if limit.rate.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let buckets = limit.buckets.read().unwrap_or_else(PoisonError::into_inner);
        buckets.as_ref().map_or(Ok(()), ask).map_err(|wait| {
            telemetry::rate_limited(rate.name());
            Exceeded { rate, retry_after: wait.max(MIN_WAIT) }
        })
    }

    fn forget(&self) {
        for limit in &*self.0 {
            if let Some(buckets) = &*limit.buckets.read().unwrap_or_else(PoisonError::into_inner) {
                buckets.forget_full();
            }
        }
    }

    fn limit(&self, rate: Rate) -> &Limit {
        &self.0[rate as usize]
    }
}

// === impl Limit ===

impl Limit {
    fn set(&self, rate: Rate, to: u32) {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        if self.rate.swap(to, Ordering::Relaxed) != to {
            *buckets = (to > 0).then(|| Buckets::new(to, rate.period()));
        }
    }
}

#[cfg(test)]
mod tests;
