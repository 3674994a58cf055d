//! Limits on dialling a Cat: one that cannot be reached is left alone for a while.
use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{Code, Failure};

/// Dials at once, of one agent.
const MAX_DIALS: usize = 32;

/// The first pause; each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Gate {
    dials: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Failures in a row.
    failures: u32,
    /// The end of the pause, after which one dial is tried for all.
    until: Option<Instant>,
}

/// Permission to dial once.
pub(super) struct Pass<'a> {
    gate: &'a Gate,
    /// Failures before this dial. Dials that fail together count once.
    failures: u32,
    _dial: Option<SemaphorePermit<'a>>,
}

// === impl Gate ===

impl Gate {
    pub(super) fn new() -> Self {
        Self { dials: Semaphore::new(MAX_DIALS), state: Mutex::default() }
    }

    /// Waits for a free place among the dials; fails at once during a pause.
    pub(super) async fn enter(&self) -> Result<Pass<'_>, Failure> {
        self.check(Instant::now(), false)?;
        let dial = self.dials.acquire().await.ok();
        let failures = self.check(Instant::now(), true)?;
        Ok(Pass { gate: self, failures, _dial: dial })
    }

    /// The failures so far, if dialling is allowed at `now`. A caller that will dial keeps all others
    /// out for another pause.
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
    /// Ends the pauses: the Cat was reached.
    pub(super) fn reached(self) {
        *self.gate.state.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// Begins a pause: the Cat was not reached.
    pub(super) fn missed(self) {
        let mut state = self.gate.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failures == self.failures {
            state.failures = state.failures.saturating_add(1);
            state.until = Some(Instant::now() + pause(state.failures));
        }
    }
}

/// The pause after so many failures, shortened at random by up to half, so that nodes do not dial
/// together.
fn pause(failures: u32) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(MAX_PAUSE);
    // The only random numbers in the standard library.
    let random = RandomState::new().hash_one(failures) % 1024;
    whole / 2 + whole / 2 * u32::try_from(random).unwrap_or_default() / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(gate: &Gate, at: Instant) -> bool {
        gate.check(at, false).is_ok()
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_differ() {
        for (failures, whole) in
            [(1, FIRST_PAUSE), (2, FIRST_PAUSE * 2), (5, FIRST_PAUSE * 16), (40, MAX_PAUSE)]
        {
            let pauses: Vec<_> = (0..100).map(|_| pause(failures)).collect();
            assert!(pauses.iter().all(|pause| (whole / 2..=whole).contains(pause)), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
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
        assert!(!open(&gate, now) && open(&gate, now + FIRST_PAUSE));
        assert_eq!(gate.enter().await.err().map(|failure| failure.code), Some(Code::Unreachable));
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
