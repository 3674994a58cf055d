//! How pools are divided.
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{Holder, Usage};
use crate::{Limits, telemetry};

/// The part of a pool that one holder may have. Cloning shares it, so one reload changes all pools.
#[derive(Clone)]
pub struct Shares(Arc<Divided>);

/// Each part is the bits of an `f64` from 0 to 1.
struct Divided {
    user: AtomicU64,
    address: AtomicU64,
    strangers: AtomicU64,
    /// The usage of each pool that is divided like this.
    pools: Mutex<Vec<Box<Probe>>>,
}

/// Reads the usage of a pool; `None` once the pool is gone.
type Probe = dyn Fn() -> Option<Usage> + Send + Sync;

impl Shares {
    pub fn new(limits: &Limits) -> Self {
        let part = |part: f64| AtomicU64::new(part.to_bits());
        let Limits { user_share, address_share, stranger_share, .. } = *limits;
        Self(Arc::new(Divided {
            user: part(user_share),
            address: part(address_share),
            strangers: part(stranger_share),
            pools: Mutex::default(),
        }))
    }

    pub(super) fn register(&self, probe: impl Fn() -> Option<Usage> + Send + Sync + 'static) {
        let mut pools = self.probes();
        pools.retain(|probe| probe().is_some());
        pools.push(Box::new(probe));
    }

    fn probes(&self) -> MutexGuard<'_, Vec<Box<Probe>>> {
        self.0.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every pool that is divided like this, in the order of their names. Pools of one name, as those
    /// of several agents, are added up.
    pub fn pools(&self) -> Vec<Usage> {
        let mut sums: BTreeMap<&'static str, Usage> = BTreeMap::new();
        for usage in self.probes().iter().filter_map(|probe| probe()) {
            let sum = sums.entry(usage.name).or_insert(Usage { used: 0, size: 0, ..usage });
            sum.used = sum.used.saturating_add(usage.used);
            sum.size = sum.size.saturating_add(usage.size);
        }
        sums.into_values().collect()
    }

    /// Sets the gauges of all pools, for a reading of the metrics.
    pub fn report(&self) {
        for Usage { name, used, size } in self.pools() {
            telemetry::pool_usage(name, used, size);
        }
    }

    /// Divides every pool by these limits from now on. What is held stays held.
    pub fn reload(&self, limits: &Limits) {
        let Divided { user, address, strangers, .. } = &*self.0;
        user.store(limits.user_share.to_bits(), Relaxed);
        address.store(limits.address_share.to_bits(), Relaxed);
        strangers.store(limits.stranger_share.to_bits(), Relaxed);
    }

    /// Units of `size` that `holder` may hold by itself; at least one.
    pub fn limit(&self, holder: &Holder, size: usize) -> usize {
        let read = |cell: &AtomicU64| f64::from_bits(cell.load(Relaxed));
        match holder {
            Holder::User(_) => part_of(size, read(&self.0.user)),
            Holder::Guest(_) => match read(&self.0.address) {
                0.0 => usize::MAX,
                part => part_of(size, part),
            },
            Holder::Stranger(_) => self.strangers(size),
            Holder::Program => usize::MAX,
        }
    }

    /// Units of `size` that strangers may hold together; at least one.
    pub(super) fn strangers(&self, size: usize) -> usize {
        part_of(size, f64::from_bits(self.0.strangers.load(Relaxed)))
    }
}

impl fmt::Debug for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shares").field(&self.pools()).finish()
    }
}

impl Default for Shares {
    fn default() -> Self {
        Self::new(&Limits::default())
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is rounded anyway, and the cast saturates"
)]
fn part_of(size: usize, part: f64) -> usize {
    ((size as f64 * part).ceil() as usize).clamp(1, size.max(1))
}
