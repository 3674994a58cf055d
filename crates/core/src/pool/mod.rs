//! Pools that all clients draw from, and how much of one a single client may hold.
//!
//! Every bounded resource that users compete for (sessions, connections, questions, runs, workers,
//! readers of the database) is a [`Pool`]. A signed-in user holds at most [`Shares::user`] of it, so
//! a pool that one user has filled still serves the others.
mod addresses;
mod holder;
mod network;
mod newcomers;
mod permit;
mod shares;
mod shortage;
mod state;
mod usage;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::telemetry;

pub(crate) use self::addresses::AddressCounts;
use self::state::State;
pub use self::{
    holder::Holder, network::network, newcomers::Newcomers, permit::Permit, shares::Shares,
    shortage::Shortage, usage::Usage,
};

type PermitWaiter = state::PoolWaiter<Permit>;

/// A bounded number of units, such as places or bytes. Cloning shares it.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    name: &'static str,
    shares: Shares,
    state: Mutex<State<Permit>>,
}

impl Pool {
    /// A pool of `size` units, divided by `shares`. Metrics and the table of bounds in
    /// `docs/operations.md` call it `name`, a word such as `sessions`.
    pub fn new(name: &'static str, size: usize, shares: &Shares) -> Self {
        let state = Mutex::new(State::new(size));
        let pool = Self(Arc::new(Inner { name, shares: shares.clone(), state }));
        let inner = Arc::downgrade(&pool.0);
        shares.register(move || inner.upgrade().map(|pool| pool.usage()));
        pool
    }

    /// Changes the number of units. Units that are held stay held, also where they are now more.
    pub fn resize(&self, size: usize) {
        let granted = {
            let mut state = self.state();
            state.size = size;
            state.grant(&self.0.shares)
        };
        self.hand_out(granted);
    }

    pub fn size(&self) -> usize {
        self.state().size
    }

    /// Units that `holder` may hold.
    pub fn limit(&self, holder: &Holder) -> usize {
        self.0.shares.limit(holder, self.size())
    }

    /// Units that are held now.
    pub fn used(&self) -> usize {
        self.state().used
    }

    /// Units that `holder` holds now.
    pub fn held_by(&self, holder: &Holder) -> usize {
        self.state().held_by(holder)
    }

    /// Takes `units` at once, or says why there are none. Overtakes no caller that waits for units
    /// that others hold.
    ///
    /// A holder that holds nothing may take more than its share in one piece, and an empty pool
    /// gives more than its size: bound single requests elsewhere.
    pub fn take(&self, holder: &Holder, units: usize) -> Result<Permit, Shortage> {
        self.try_take(holder, units).map_err(|shortage| self.refuse(shortage))
    }

    /// [`take`](Self::take) for a scheduler that only looks: a refusal is not counted.
    pub fn try_take(&self, holder: &Holder, units: usize) -> Result<Permit, Shortage> {
        let (granted, taken) = self.state().take_in_turn(holder, units, &self.0.shares);
        self.hand_out(granted);
        taken.map(|()| Permit::new(self, holder, units))
    }

    /// Says why [`take`](Self::take) would refuse just now, if it would.
    pub fn check(&self, holder: &Holder, units: usize) -> Result<(), Shortage> {
        let checked = self.state().check(holder, units, &self.0.shares);
        checked.map_err(|shortage| self.refuse(shortage))
    }

    /// Takes `units` whether they are free or not, for a holder that must not be refused: it was
    /// admitted before, under another count. Bound how often that can be elsewhere.
    pub fn force(&self, holder: &Holder, units: usize) -> Permit {
        self.state().put_back(holder, units);
        Permit::new(self, holder, units)
    }

    /// Waits until `units` are free for `holder`, in the order of asking; cancel-safe. A holder
    /// that has its share is passed over until it gives something back, so it delays no other.
    ///
    /// Bound the number of callers elsewhere: each waits in memory.
    pub async fn acquire(&self, holder: &Holder, units: usize) -> Permit {
        let (granted, waits) = {
            let mut state = self.state();
            let (granted, taken) = state.take_in_turn(holder, units, &self.0.shares);
            let waits = taken.err().map(|shortage| {
                let (sender, receiver) = oneshot::channel();
                state.wait(PermitWaiter { holder: holder.clone(), units, sender }, shortage);
                receiver
            });
            (granted, waits)
        };
        self.hand_out(granted);
        let Some(receiver) = waits else { return Permit::new(self, holder, units) };
        let Ok(permit) = receiver.await else {
            unreachable!(
                "a waiter is kept until it is served, and the pool lives as long as `self`"
            )
        };
        permit
    }

    fn refuse(&self, shortage: Shortage) -> Shortage {
        telemetry::pool_refused(self.0.name, shortage.reason());
        shortage
    }

    fn release(&self, holder: &Holder, units: usize) {
        let granted = {
            let mut state = self.state();
            state.release(holder, units);
            state.grant(&self.0.shares)
        };
        self.hand_out(granted);
    }

    /// Serves waiters outside of the lock: one that has left gives its units back at once.
    fn hand_out(&self, granted: Vec<PermitWaiter>) {
        for PermitWaiter { holder, units, sender } in granted {
            let permit = Permit::new(self, &holder, units);
            // Fails if the caller has stopped waiting; the permit is then dropped here.
            drop(sender.send(permit));
        }
    }

    fn state(&self) -> MutexGuard<'_, State<Permit>> {
        self.0.state()
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State<Permit>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usage(&self) -> Usage {
        let state = self.state();
        Usage { name: self.name, used: state.used, size: state.size }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.usage()).finish()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests;
