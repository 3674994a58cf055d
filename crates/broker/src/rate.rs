//! How many publications a connection may make.
use std::time::{Duration, Instant};

/// A bucket that fills with `per_second` tokens each second and holds as many.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: u32,
    /// When the bucket was or will be empty, counting the tokens taken so far.
    empty_at: Instant,
}

impl Rate {
    /// Zero is no limit.
    pub(crate) fn new(per_second: u32) -> Self {
        Self { per_second, empty_at: Instant::now() }
    }

    /// One token, or how long until there is one.
    pub(crate) fn take(&mut self) -> Result<(), Duration> {
        if self.per_second == 0 {
            return Ok(());
        }
        self.take_at(Instant::now())
    }

    fn take_at(&mut self, now: Instant) -> Result<(), Duration> {
        let token = Duration::from_secs(1) / self.per_second;
        let after = self.empty_at.max(now) + token;
        let full = now + token * self.per_second;
        if after > full {
            return Err(after - full);
        }
        self.empty_at = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_one_second_passes_and_then_one_at_a_time() {
        let mut rate = Rate::new(10);
        let begin = Instant::now();
        assert_eq!((0..20).filter(|_| rate.take_at(begin).is_ok()).count(), 10);
        assert_eq!(rate.take_at(begin), Err(Duration::from_millis(100)));
        let later = begin + Duration::from_millis(100);
        assert_eq!((rate.take_at(later), rate.take_at(later).is_err()), (Ok(()), true));
    }
}
