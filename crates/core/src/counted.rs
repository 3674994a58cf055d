//! Bytes of messages that are being received, and of output that clients have yet to take.
use crate::{Holder, Limits, Permit, Pool, Shares, Shortage};

/// Bytes of a message or a body that are not counted while it arrives: most are no larger, and touch
/// no pool.
const FREE_INPUT: usize = 8 << 10;

/// Bytes of one write, which are not counted while a client takes them.
pub const FREE_OUTPUT: usize = 72 << 10;

/// Granularity of the counts, in bytes, so that not each piece that arrives touches the pool.
const STEP: usize = 64 << 10;

/// The pools of bytes that connections hold. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Buffers {
    /// Messages and bodies that are being received.
    pub input: Pool,
    /// Answers and records that clients have yet to take.
    pub output: Pool,
}

/// Counts the bytes that one connection holds in one of the [`Buffers`]. Dropping it gives
/// everything back.
#[derive(Debug)]
pub struct HeldBytes {
    pool: Pool,
    free: usize,
    permit: Option<Permit>,
}

impl Buffers {
    pub fn new(limits: &Limits, shares: &Shares) -> Self {
        Self {
            input: Pool::new("input", limits.input_bytes, shares),
            output: Pool::new("output", limits.output_bytes, shares),
        }
    }

    /// Allows as many bytes as `limits` say from now on. What is held stays held.
    pub fn reload(&self, limits: &Limits) {
        self.input.resize(limits.input_bytes);
        self.output.resize(limits.output_bytes);
    }

    /// Counts the bytes that a client is sending, beyond 8 KiB.
    pub fn receiving(&self) -> HeldBytes {
        HeldBytes { pool: self.input.clone(), free: FREE_INPUT, permit: None }
    }

    /// Counts the bytes that a client has yet to take, beyond one write of 72 KiB.
    pub fn sending(&self) -> HeldBytes {
        HeldBytes { pool: self.output.clone(), free: FREE_OUTPUT, permit: None }
    }
}

impl HeldBytes {
    /// Counts `bytes` in all for `holder`, or says why there is no room; then the count stays. Up to a
    /// free amount, none are counted.
    pub fn hold(&mut self, bytes: usize, holder: impl FnOnce() -> Holder) -> Result<(), Shortage> {
        if bytes <= self.free {
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

    /// Counts `bytes` in all for `holder`, whether there is room for them or not.
    pub fn hold_anyway(&mut self, bytes: usize, holder: &Holder) {
        if self.hold(bytes, || holder.clone()).is_err() {
            self.permit = Some(self.pool.force(holder, bytes));
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
        let limits = Limits { input_bytes: 16 << 20, ..Limits::default() };
        let buffers = Buffers::new(&limits, &Shares::default());
        let pool = &buffers.input;
        let stranger = || Holder::stranger(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let mut all: Vec<_> = (0..100).map(|_| buffers.receiving()).collect();
        for input_bytes in &mut all {
            input_bytes.hold(FREE_INPUT, || unreachable!("nothing is counted")).unwrap();
        }
        let held = all
            .iter_mut()
            .filter_map(|input_bytes| input_bytes.hold(100_000, stranger).ok())
            .count();
        assert_eq!((held, pool.used()), (8, 8 * 2 * STEP), "a sixteenth of the pool");
        let user = Holder::User("7".into());
        let mut large = buffers.receiving();
        large.hold(1 << 20, || user.clone()).unwrap();
        large.hold(4 << 20, || user.clone()).unwrap();
        assert_eq!(large.hold((4 << 20) + 1, || user.clone()), Err(Shortage::Share));
        large.hold(0, || user.clone()).unwrap();
        drop(all);
        assert_eq!(pool.used(), 0);
    }

    #[test]
    fn a_write_that_a_client_has_yet_to_take_is_free_and_a_large_answer_is_not() {
        let limits = Limits { output_bytes: 4 << 20, ..Limits::default() };
        let buffers = Buffers::new(&limits, &Shares::default());
        let user = || Holder::User("7".into());
        let mut slow: Vec<_> = (0..100).map(|_| buffers.sending()).collect();
        for sending in &mut slow {
            sending.hold(FREE_OUTPUT, user).unwrap();
        }
        assert_eq!(buffers.output.used(), 0);
        let mut large = buffers.sending();
        large.hold(900_000, user).unwrap();
        assert_eq!(buffers.sending().hold(900_000, user), Err(Shortage::Share));
        buffers.sending().hold(900_000, || Holder::User("8".into())).unwrap();
        large.hold(100, user).unwrap();
        assert_eq!(buffers.output.used(), 0);
    }
}
