//! How many requests there are at once that work on files of their own, and how users share them.
use quadrille_core::{Holder, Permit, Pool, Shares, Shortage};

/// Places for requests, and for those of them that work; the others wait.
#[derive(Debug)]
pub(crate) struct Room {
    inside: Pool,
    working: Pool,
}

impl Room {
    pub(crate) fn new(workers: usize, waiting: usize, shares: &Shares) -> Self {
        let inside = Pool::new("direct_requests", workers.saturating_add(waiting), shares);
        Self { inside, working: Pool::new("direct_workers", workers, shares) }
    }

    /// Takes a place for a request.
    pub(crate) fn enter(&self, holder: &Holder) -> Result<Permit, Shortage> {
        self.inside.take(holder, 1)
    }

    /// Waits for a worker, for who has a place: in the order of asking, but a client that has its
    /// share of the workers is passed over until one of them is done.
    pub(crate) async fn work(&self, place: &Permit) -> Permit {
        self.working.acquire(place.holder(), 1).await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn nobody_has_more_than_a_quarter_of_the_places_and_of_the_workers() {
        let room = Room::new(4, 4, &Shares::default());
        let [ann, bob] = ["ann", "bob"].map(|it| Holder::User(it.into()));
        let mut held = vec![room.enter(&ann).unwrap(), room.enter(&ann).unwrap()];
        assert_eq!(room.enter(&ann).unwrap_err(), Shortage::Share);
        held.push(room.enter(&bob).unwrap());
        let works = |place: &Permit| room.work(place).now_or_never();
        let [first, second, other] = [0, 1, 2].map(|at| works(&held[at]));
        assert!(first.is_some() && second.is_none() && other.is_some());
        drop(first);
        assert!(works(&held[1]).is_some());
        // Others fill what is left, until there is none.
        let others = (0..).map(|n: u32| room.enter(&Holder::User(n.to_string().into())));
        held.extend(others.map_while(Result::ok));
        assert_eq!((held.len(), room.enter(&Holder::Program).unwrap_err()), (8, Shortage::Full));
        held.clear();
        assert!(room.enter(&ann).is_ok());
    }
}
