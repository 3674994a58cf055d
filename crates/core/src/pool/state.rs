//! The units of a pool that are held, and the callers that wait for more.
use std::collections::{HashMap, VecDeque};

use tokio::sync::oneshot;

use super::{Holder, Shares, Shortage};

pub(super) struct State<P> {
    pub(super) size: usize,
    pub(super) used: usize,
    /// Units by holder; none of them is zero.
    held: HashMap<Holder, usize>,
    /// Units of all strangers together.
    strangers: usize,
    waiting: VecDeque<PoolWaiter<P>>,
    /// Whether the first waiter that has room in its share waits for units.
    blocked: bool,
}

/// A caller that waits for a permit `P`.
pub(super) struct PoolWaiter<P> {
    pub(super) holder: Holder,
    pub(super) units: usize,
    pub(super) sender: oneshot::Sender<P>,
}

impl<P> State<P> {
    pub(super) fn new(size: usize) -> Self {
        Self {
            size,
            used: 0,
            held: HashMap::new(),
            strangers: 0,
            waiting: VecDeque::new(),
            blocked: false,
        }
    }

    pub(super) fn held_by(&self, holder: &Holder) -> usize {
        self.held.get(holder).copied().unwrap_or(0)
    }

    pub(super) fn wait(&mut self, waiter: PoolWaiter<P>, shortage: Shortage) {
        self.waiting.push_back(waiter);
        self.blocked |= shortage == Shortage::Full;
    }

    /// Takes units unless a caller waits that only the size of the pool holds up. Gives the waiters
    /// to be told, too: one that has stopped waiting holds up nobody.
    pub(super) fn take_in_turn(
        &mut self,
        holder: &Holder,
        units: usize,
        shares: &Shares,
    ) -> (Vec<PoolWaiter<P>>, Result<(), Shortage>) {
        let granted = if self.blocked { self.grant(shares) } else { Vec::new() };
        let taken =
            if self.blocked { Err(Shortage::Full) } else { self.take(holder, units, shares) };
        (granted, taken)
    }

    pub(super) fn take(
        &mut self,
        holder: &Holder,
        units: usize,
        shares: &Shares,
    ) -> Result<(), Shortage> {
        self.check(holder, units, shares)?;
        self.put_back(holder, units);
        Ok(())
    }

    /// A share is looked at first: a client is told to give back what it has, not to wait for others.
    pub(super) fn check(
        &self,
        holder: &Holder,
        units: usize,
        shares: &Shares,
    ) -> Result<(), Shortage> {
        self.check_share(holder, units, shares)?;
        if self.used.saturating_add(units) > self.size && (self.used > 0 || self.size == 0) {
            return Err(Shortage::Full);
        }
        Ok(())
    }

    /// Whether `units` more are within the holder's share, whatever others hold.
    pub(super) fn check_share(
        &self,
        holder: &Holder,
        units: usize,
        shares: &Shares,
    ) -> Result<(), Shortage> {
        let held = self.held_by(holder);
        if held > 0 && held.saturating_add(units) > shares.limit(holder, self.size) {
            let is_stranger = holder.is_stranger();
            return Err(if is_stranger { Shortage::Strangers } else { Shortage::Share });
        }
        let together = self.strangers;
        if holder.is_stranger()
            && together > 0
            && together.saturating_add(units) > shares.strangers(self.size)
        {
            return Err(Shortage::Strangers);
        }
        Ok(())
    }

    /// Counts units without a look at the bounds.
    pub(super) fn put_back(&mut self, holder: &Holder, units: usize) {
        self.used += units;
        if holder.is_stranger() {
            self.strangers += units;
        }
        if units > 0 {
            *self.held.entry(holder.clone()).or_default() += units;
        }
    }

    pub(super) fn release(&mut self, holder: &Holder, units: usize) {
        self.used -= units;
        if holder.is_stranger() {
            self.strangers -= units;
        }
        if let Some(held) = self.held.get_mut(holder) {
            *held -= units;
            if *held == 0 {
                self.held.remove(holder);
            }
        }
    }

    /// Takes units for those that wait, in their order, and gives the waiters to be told. One that
    /// waits for units holds up all behind it; one at its share holds up nobody.
    pub(super) fn grant(&mut self, shares: &Shares) -> Vec<PoolWaiter<P>> {
        let mut granted = Vec::new();
        let mut at = 0;
        self.blocked = false;
        while let Some(waiter) = self.waiting.get(at) {
            if waiter.sender.is_closed() {
                self.waiting.remove(at);
                continue;
            }
            let (holder, units) = (waiter.holder.clone(), waiter.units);
            match self.take(&holder, units, shares) {
                Ok(()) => granted.extend(self.waiting.remove(at)),
                Err(Shortage::Full) => {
                    self.blocked = true;
                    break;
                }
                Err(Shortage::Share | Shortage::Strangers) => at += 1,
            }
        }
        granted
    }
}
