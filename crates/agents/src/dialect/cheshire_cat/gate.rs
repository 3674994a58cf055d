//! When a Cat may be dialled: one that cannot be reached is left alone for a while.
use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{Code, Failure};

/// Dials at once, of one agent.
const AT_ONCE: usize = 32;

/// The first pause; each further failure doubles it.
const FIRST: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Gate {
    dials: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In a row.
    failures: u32,
    /// Nobody dials before; after it, one tries for all.
    until: Option<Instant>,
}

/// Leave to dial once.
pub(super) struct Pass<'a> {
    gate: &'a Gate,
    /// How many failures there were. Dials that failed together count once.
    failures: u32,
    _dial: Option<SemaphorePermit<'a>>,
}

// === impl Gate ===

impl Gate {
    pub(super) fn new() -> Self {
        Self { dials: Semaphore::new(AT_ONCE), state: Mutex::default() }
    }

    /// Waits for a free place among the dials; fails at once during a pause.
    pub(super) async fn enter(&self) -> Result<Pass<'_>, Failure> {
        self.check(Instant::now(), false)?;
        let dial = self.dials.acquire().await.ok();
        let failures = self.check(Instant::now(), true)?;
        Ok(Pass { gate: self, failures, _dial: dial })
    }

    /// The failures so far, if it may be dialled at `now`. Who will do so lets nobody else in for
    /// another pause.
    fn check(&self, now: Instant, will_dial: bool) -> Result<u32, Failure> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.until.is_some_and(|until| now < until) {
            return Err(Failure::new(Code::Unreachable, "not tried again so soon"));
        }
        if will_dial && state.failures > 0 {
            state.until = Some(now + pause(state.failures));
        }
        Ok(state.failures)
    }
}

// === impl Pass ===

impl Pass<'_> {
    /// The Cat was reached.
    pub(super) fn reached(self) {
        *self.gate.state.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// The Cat was not reached.
    pub(super) fn missed(self) {
        let mut state = self.gate.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failures == self.failures {
            state.failures = state.failures.saturating_add(1);
            state.until = Some(Instant::now() + pause(state.failures));
        }
    }
}

/// Between half and all of what the number of failures demands, so that nodes do not dial together.
fn pause(failures: u32) -> Duration {
    let whole = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST);
    // The only dice in the standard library.
    let dice = RandomState::new().hash_one(failures) % 1024;
    whole / 2 + whole / 2 * u32::try_from(dice).unwrap_or_default() / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(gate: &Gate, at: Instant) -> bool {
        gate.check(at, false).is_ok()
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_differ() {
        for (failures, whole) in [(1, FIRST), (2, FIRST * 2), (5, FIRST * 16), (40, LONGEST)] {
            let pauses: Vec<_> = (0..100).map(|_| pause(failures)).collect();
            assert!(pauses.iter().all(|it| *it >= whole / 2 && *it <= whole), "{pauses:?}");
            assert!(pauses.iter().any(|it| *it != pauses[0]), "{pauses:?}");
        }
    }

    #[tokio::test]
    async fn failures_of_one_time_count_once_and_one_success_ends_them() {
        let gate = Gate::new();
        let passes = [gate.enter().await.unwrap(), gate.enter().await.unwrap()];
        let late = gate.enter().await.unwrap();
        for pass in passes {
            pass.missed();
        }
        let now = Instant::now();
        assert_eq!(gate.state.lock().unwrap().failures, 1);
        assert!(!open(&gate, now) && open(&gate, now + FIRST));
        assert_eq!(gate.enter().await.err().map(|it| it.code), Some(Code::Unreachable));
        late.reached();
        assert!(open(&gate, now));
    }

    #[test]
    fn after_a_pause_one_tries_for_all() {
        let gate = Gate::new();
        *gate.state.lock().unwrap() = State { failures: 3, until: None };
        let now = Instant::now();
        assert_eq!(gate.check(now, true).ok(), Some(3));
        assert!(gate.check(now, true).is_err());
    }
}
