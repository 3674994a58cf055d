//! How pools are divided.
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{Holder, Inner, Usage};
use crate::Limits;

/// The part of a pool that one holder may have. Cloning shares it, so one reload changes all pools.
#[derive(Clone, Debug)]
pub struct Shares(Arc<Parts>);

/// Each part is the bits of an `f64` from 0 to 1.
#[derive(Debug)]
struct Parts {
    user: AtomicU64,
    address: AtomicU64,
    strangers: AtomicU64,
    /// All pools that are divided like this.
    pools: Mutex<Vec<Weak<Inner>>>,
}

impl Shares {
    pub fn new(limits: &Limits) -> Self {
        let part = |part: f64| AtomicU64::new(part.to_bits());
        let Limits { user_share, address_share, stranger_share, .. } = *limits;
        Self(Arc::new(Parts {
            user: part(user_share),
            address: part(address_share),
            strangers: part(stranger_share),
            pools: Mutex::default(),
        }))
    }

    pub(super) fn register(&self, pool: &Arc<Inner>) {
        let mut pools = self.0.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    /// Every pool that is divided like this, in the order of their names. Pools of one name, as those
    /// of several agents, are added up.
    pub fn pools(&self) -> Vec<Usage> {
        let pools = self.0.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums: BTreeMap<&'static str, Usage> = BTreeMap::new();
        for usage in pools.iter().filter_map(Weak::upgrade).map(|pool| pool.usage()) {
            let sum = sums.entry(usage.name).or_insert(Usage { used: 0, size: 0, ..usage });
            sum.used = sum.used.saturating_add(usage.used);
            sum.size = sum.size.saturating_add(usage.size);
        }
        sums.into_values().collect()
    }

    /// Divides every pool by these limits from now on. What is held stays held.
    pub fn reload(&self, limits: &Limits) {
        let Parts { user, address, strangers, .. } = &*self.0;
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
