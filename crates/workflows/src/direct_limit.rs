//! Bounds the requests that work on files of their own, and shares them among users.
use quadrille_core::{Holder, Permit, Pool, Shares, Shortage};

/// Permits for requests, and for the ones among them that are executed; the others wait.
#[derive(Debug)]
pub(crate) struct DirectLimit {
    requests: Pool,
    workers: Pool,
}

impl DirectLimit {
    pub(crate) fn new(workers: usize, waiting: usize, shares: &Shares) -> Self {
        let requests = Pool::new("direct_requests", workers.saturating_add(waiting), shares);
        Self { requests, workers: Pool::new("direct_workers", workers, shares) }
    }

    /// Takes a permit for a request. Fails if there is none, or the holder has its share.
    pub(crate) fn admit(&self, holder: &Holder) -> Result<Permit, Shortage> {
        self.requests.take(holder, 1)
    }

    /// Waits for a worker, for an admitted request. Workers are given in the order of asking, but a
    /// holder that has its share is passed over until one of its requests is done.
    pub(crate) async fn worker(&self, admitted: &Permit) -> Permit {
        self.workers.acquire(admitted.holder(), 1).await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn nobody_has_more_than_a_quarter_of_the_permits_and_of_the_workers() {
        let limit = DirectLimit::new(4, 4, &Shares::default());
        let [ann, bob] = ["ann", "bob"].map(|name| Holder::User(name.into()));
        let mut held = vec![limit.admit(&ann).unwrap(), limit.admit(&ann).unwrap()];
        assert_eq!(limit.admit(&ann).unwrap_err(), Shortage::Share);
        held.push(limit.admit(&bob).unwrap());
        let works = |admitted: &Permit| limit.worker(admitted).now_or_never();
        let [first, second, other] = [0, 1, 2].map(|at| works(&held[at]));
        assert!(first.is_some() && second.is_none() && other.is_some());
        drop(first);
        assert!(works(&held[1]).is_some());
        // Others take the rest, until there is none.
        let others = (0..).map(|n: u32| limit.admit(&Holder::User(n.to_string().into())));
        held.extend(others.map_while(Result::ok));
        assert_eq!((held.len(), limit.admit(&Holder::Program).unwrap_err()), (8, Shortage::Full));
        held.clear();
        assert!(limit.admit(&ann).is_ok());
    }
}
