//! Workers for runs, shared among the owners of chats.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quadrille_core::{Holder, Permit, Pool, Shares};
use quadrille_store::{self as store, Claimed, RunScope, Store};

/// Upper bound on the owners considered for one run, and on the owners remembered.
const MAX_OWNERS: u32 = 1000;

/// Workers, and the owners that they work for.
#[derive(Debug)]
pub(crate) struct Workers {
    pool: Pool,
    served: Mutex<Served>,
}

/// Order in which owners were last served, as a growing number.
#[derive(Debug, Default)]
struct Served {
    count: u64,
    last: HashMap<Option<String>, u64>,
}

impl Workers {
    pub(crate) fn new(count: usize, shares: &Shares) -> Self {
        Self { pool: Pool::new("run_workers", count, shares), served: Mutex::default() }
    }

    /// Claims a run of the least recently served owner that has not its share of the workers.
    pub(crate) async fn claim(
        &self,
        store: &Store,
        lease: Duration,
    ) -> Result<Option<(Claimed, Permit)>, store::Error> {
        let mut owners = store.owners_of_runs(MAX_OWNERS).await?;
        self.served().sort(&mut owners);
        for owner in owners {
            let holder = match &owner {
                Some(user) => Holder::User(Arc::from(&**user)),
                None => Holder::Program,
            };
            let Ok(worker) = self.pool.take(&holder, 1) else { continue };
            // `None` if all runs of this owner are taken.
            let of = RunScope::Owner(owner.as_deref());
            if let Some(claimed) = store.claim_run(lease, of).await? {
                self.served().note(owner);
                return Ok(Some((claimed, worker)));
            }
        }
        Ok(None)
    }

    fn served(&self) -> MutexGuard<'_, Served> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Served {
    /// Sorts by when owners were served, longest ago first. Ties keep their order.
    fn sort(&self, owners: &mut [Option<String>]) {
        owners.sort_by_key(|owner| self.last.get(owner).copied().unwrap_or_default());
    }

    fn note(&mut self, owner: Option<String>) {
        self.count += 1;
        self.last.insert(owner, self.count);
        let max = u64::from(MAX_OWNERS);
        if self.last.len() as u64 > 2 * max {
            let recent = self.count - max;
            self.last.retain(|_, at| *at > recent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(names: &[&str]) -> Vec<Option<String>> {
        names.iter().map(|name| Some((*name).to_owned())).collect()
    }

    #[test]
    fn the_owner_served_longest_ago_is_next() {
        let mut served = Served::default();
        let mut order = Vec::new();
        for waiting in [["ann", "bob", "eve"]; 6] {
            let mut waiting = owners(&waiting);
            served.sort(&mut waiting);
            order.push(waiting[0].clone());
            served.note(waiting.swap_remove(0));
        }
        assert_eq!(order, owners(&["ann", "bob", "eve", "ann", "bob", "eve"]));
    }

    #[test]
    fn owners_are_forgotten_when_there_are_too_many() {
        let mut served = Served::default();
        for n in 0..10_000 {
            served.note(Some(n.to_string()));
            assert!(served.last.len() <= 2000);
        }
        let mut waiting = owners(&["9999", "3"]);
        served.sort(&mut waiting);
        assert_eq!(waiting, owners(&["3", "9999"]));
    }
}
