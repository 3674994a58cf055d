//! Bytes of a message or a body that is being received.
use crate::{Holder, Permit, Pool, Shortage};

/// Bytes that are not counted: most messages and bodies are no larger, and touch no pool.
const FREE: usize = 8 << 10;

/// What is counted at once, so that not each piece that arrives touches the pool.
const STEP: usize = 64 << 10;

/// Counts what one client is sending in the pool `input`. Dropping it gives everything back.
#[derive(Debug)]
pub struct Inflow {
    pool: Pool,
    permit: Option<Permit>,
}

impl Inflow {
    pub fn new(pool: &Pool) -> Self {
        Self { pool: pool.clone(), permit: None }
    }

    /// Counts `bytes` in all for the client that `holder` tells, or says why there is no room; then
    /// what is counted stays. The first 8 KiB are free.
    pub fn hold(&mut self, bytes: usize, holder: impl FnOnce() -> Holder) -> Result<(), Shortage> {
        if bytes <= FREE {
            self.permit = None;
            return Ok(());
        }
        let wanted = bytes.next_multiple_of(STEP);
        match &mut self.permit {
            Some(permit) if permit.units() < wanted => permit.grow(wanted - permit.units()),
            Some(permit) if permit.units() > wanted => {
                permit.shrink_to(wanted);
                Ok(())
            }
            Some(_) => Ok(()),
            None => {
                self.permit = Some(self.pool.take(&holder(), wanted)?);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::Shares;

    #[test]
    fn small_messages_are_free_and_strangers_hold_a_part_together() {
        let pool = Pool::new("input", 16 << 20, &Shares::default());
        let stranger = || Holder::stranger(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let mut all: Vec<_> = (0..100).map(|_| Inflow::new(&pool)).collect();
        for inflow in &mut all {
            inflow.hold(FREE, || unreachable!("nothing is counted")).unwrap();
        }
        let held = all.iter_mut().filter_map(|it| it.hold(100_000, stranger).ok()).count();
        assert_eq!((held, pool.used()), (8, 8 * 2 * STEP), "a sixteenth of the pool");
        let user = Holder::User("7".into());
        let mut large = Inflow::new(&pool);
        large.hold(1 << 20, || user.clone()).unwrap();
        large.hold(4 << 20, || user.clone()).unwrap();
        assert_eq!(large.hold((4 << 20) + 1, || user.clone()), Err(Shortage::Share));
        large.hold(0, || user.clone()).unwrap();
        drop(all);
        assert_eq!(pool.used(), 0);
    }
}
