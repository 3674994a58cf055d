//! A bound on how often the log repeats a line that clients can cause.
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Lets one event pass, and then none for a while.
#[derive(Debug)]
pub struct Throttle {
    every: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    last: Option<Instant>,
    withheld: u64,
}

impl Throttle {
    pub const fn new(every: Duration) -> Self {
        Self { every, state: Mutex::new(State { last: None, withheld: 0 }) }
    }

    /// The number of events held back since the last that passed, if this one passes.
    pub fn pass(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|at| at.elapsed() < self.every) {
            state.withheld += 1;
            return None;
        }
        state.last = Some(Instant::now());
        Some(std::mem::take(&mut state.withheld))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_passes_and_the_next_tells_how_many_did_not() {
        let seldom = Throttle::new(Duration::from_hours(1));
        assert_eq!([seldom.pass(), seldom.pass(), seldom.pass()], [Some(0), None, None]);
        let often = Throttle { every: Duration::ZERO, ..seldom };
        assert_eq!([often.pass(), often.pass()], [Some(2), Some(0)]);
    }
}
