//! How much a client may do in a second or a minute, over every protocol together.
//!
//! Each rate is one limiter with a bucket for each [`Payer`]: a user, wherever its connections are,
//! or an address where nobody signed in. The arithmetic is that of governor (GCRA): a bucket that
//! was left alone for its period holds all of it, so that is the largest burst.
mod bucket;
mod forged;
mod payer;
mod rate;

use std::{
    num::NonZeroU32,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use governor::{RateLimiter, clock::Clock, middleware::NoOpMiddleware};
use quadrille_core::{Life, Limits, telemetry};
use tokio::time::Instant;

use self::bucket::{Ask, Buckets};
pub use self::{
    payer::Payer,
    rate::{Exceeded, Rate},
};

/// How often buckets are forgotten that are full again, as those are of whom nobody has heard.
const FORGET: Duration = Duration::from_secs(10);

/// The buckets of everybody. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Quotas(Arc<[Limit; 4]>);

#[derive(Debug, Default)]
struct Limit {
    /// Zero is no limit, and then the rest is not looked at.
    rate: AtomicU32,
    limiter: RwLock<Option<Limiter>>,
}

type Limiter = RateLimiter<Ask, Buckets, Uptime, NoOpMiddleware<Duration>>;

/// The clock of the runtime.
#[derive(Debug)]
struct Uptime(Instant);

impl Clock for Uptime {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

// === impl Quotas ===

impl Quotas {
    pub fn new(limits: &Limits) -> Self {
        let quotas = Self::default();
        quotas.reload(limits);
        quotas
    }

    /// Go on with these rates. The buckets of a rate that changes are all full again; those of the
    /// others stay as they are.
    pub fn reload(&self, limits: &Limits) {
        for rate in Rate::ALL {
            self.limit(rate).set(rate, rate.of(limits));
        }
    }

    /// Forget those who have been quiet, until the process stops.
    pub fn start(&self, life: &Life) {
        let (quotas, stopping) = (self.clone(), life.clone());
        life.spawn("quotas", async move {
            let mut ticks = tokio::time::interval(FORGET);
            loop {
                tokio::select! {
                    () = stopping.draining() => return,
                    _ = ticks.tick() => quotas.forget(),
                }
            }
        });
    }

    /// Count one, if there is room for it.
    pub fn take(&self, rate: Rate, payer: &Payer) -> Result<(), Exceeded> {
        self.ask(rate, Ask::Take, payer)
    }

    /// Whether there is room for one more; counts nothing. Who has no bucket has room.
    pub fn look(&self, rate: Rate, payer: &Payer) -> Result<(), Exceeded> {
        self.ask(rate, Ask::Look, payer)
    }

    fn ask(
        &self,
        rate: Rate,
        ask: impl FnOnce(Payer) -> Ask,
        payer: &Payer,
    ) -> Result<(), Exceeded> {
        let limit = self.limit(rate);
        if limit.rate.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        limit.ask(&ask(payer.clone())).map_err(|wait| {
            telemetry::rate_limited(rate.name());
            Exceeded { rate, retry_after: wait }
        })
    }

    fn forget(&self) {
        for limit in &*self.0 {
            if let Some(limiter) = &*limit.limiter.read().unwrap_or_else(PoisonError::into_inner) {
                limiter.retain_recent();
                limiter.shrink_to_fit();
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
        let mut limiter = self.limiter.write().unwrap_or_else(PoisonError::into_inner);
        if self.rate.swap(to, Ordering::Relaxed) == to {
            return;
        }
        *limiter = NonZeroU32::new(to)
            .map(|to| RateLimiter::new(rate.quota(to), Buckets::default(), Uptime(Instant::now())));
    }

    /// The error is how long to wait.
    fn ask(&self, ask: &Ask) -> Result<(), Duration> {
        let limiter = self.limiter.read().unwrap_or_else(PoisonError::into_inner);
        let Some(limiter) = &*limiter else { return Ok(()) };
        limiter.check_key(ask).map_err(|until| {
            // A wait of nothing would read as no wait at all.
            until.wait_time_from(limiter.clock().now()).max(Duration::from_millis(1))
        })
    }
}

#[cfg(test)]
mod tests;
