//! A search that reads byte by byte, so that it can be cancelled within a text.
use regex_automata::{
    Anchored, Input,
    hybrid::{
        LazyStateID,
        dfa::{Cache, Config, DFA},
        regex::{Builder, Regex},
    },
    nfa::thompson,
};

use crate::{error::Error, progress::Meter};

#[derive(Debug)]
pub(super) struct SteppedSearch {
    regex: Regex,
    forward: Cache,
    reverse: Cache,
    states: usize,
    /// Bytes between two cancellation checks: less than a millisecond at worst.
    every: usize,
}

/// The search is not possible in this way: a word boundary lies at a letter beyond ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsupported;

/// Bytes times states between two cancellation checks, at some nanoseconds each.
const WORK_PER_PULSE: usize = 200_000;

/// Result of a state after one more byte.
enum StepOutcome {
    On,
    Match,
    Dead,
}

impl SteppedSearch {
    /// Compiles `pattern`, unless its states take more than a few times `size`.
    pub(super) fn new(pattern: &str, size: usize) -> Option<Self> {
        let config = Config::new()
            .unicode_word_boundary(true)
            .cache_capacity(size)
            .skip_cache_capacity_check(true);
        let states = thompson::Config::new().nfa_size_limit(Some(8 * size));
        let regex = Builder::new().dfa(config).thompson(states).build(pattern).ok()?;
        let (forward, reverse) = (regex.forward().create_cache(), regex.reverse().create_cache());
        let count = |dfa: &DFA| dfa.get_nfa().states().len();
        let states = count(regex.forward()).max(count(regex.reverse()));
        let every = (WORK_PER_PULSE / states.max(1)).clamp(8, 4096);
        Some(Self { regex, forward, reverse, states, every })
    }

    pub(super) fn states(&self) -> usize {
        self.states
    }

    /// Returns start and end of the first match from `at` on.
    pub(super) fn find(
        &mut self,
        text: &str,
        at: usize,
        meter: &mut Meter<'_>,
    ) -> Result<Result<Option<(usize, usize)>, Unsupported>, Error> {
        let end = match self.end(text, at, false, meter)? {
            Ok(Some(end)) => end,
            Ok(None) => return Ok(Ok(None)),
            Err(unsupported) => return Ok(Err(unsupported)),
        };
        let start = self.start(text, at, end, meter)?;
        Ok(start.map(|start| Some((start.unwrap_or(end), end))))
    }

    /// Returns the end of the first match from `at` on; with `only_whether`, of any match.
    pub(super) fn end(
        &mut self,
        text: &str,
        at: usize,
        only_whether: bool,
        meter: &mut Meter<'_>,
    ) -> Result<Result<Option<usize>, Unsupported>, Error> {
        let Self { regex, forward: cache, every, .. } = self;
        let dfa = regex.forward();
        let input = Input::new(text).range(at..);
        let Ok(mut state) = dfa.start_state_forward(cache, &input) else {
            return Ok(Err(Unsupported));
        };
        let mut found = None;
        let mut left = *every;
        for (place, byte) in text.bytes().enumerate().skip(at) {
            match next(dfa, cache, &mut state, byte) {
                Ok(StepOutcome::On) => {}
                // A match is reported one byte late.
                Ok(StepOutcome::Match) => found = Some(place),
                Ok(StepOutcome::Dead) => return Ok(Ok(found)),
                Err(unsupported) => return Ok(Err(unsupported)),
            }
            if only_whether && found.is_some() {
                return Ok(Ok(found));
            }
            left -= 1;
            if left == 0 {
                left = *every;
                meter.pulse()?;
            }
        }
        let Ok(state) = dfa.next_eoi_state(cache, state) else { return Ok(Err(Unsupported)) };
        Ok(Ok(if state.is_match() { Some(text.len()) } else { found }))
    }

    /// Returns the start of the match that ends at `end`, not before `at`.
    fn start(
        &mut self,
        text: &str,
        at: usize,
        end: usize,
        meter: &mut Meter<'_>,
    ) -> Result<Result<Option<usize>, Unsupported>, Error> {
        let Self { regex, reverse: cache, every, .. } = self;
        let dfa = regex.reverse();
        let input = Input::new(text).range(at..end).anchored(Anchored::Yes);
        let Ok(mut state) = dfa.start_state_reverse(cache, &input) else {
            return Ok(Err(Unsupported));
        };
        let mut found = None;
        let mut left = *every;
        let bytes = text.as_bytes();
        for place in (at..end).rev() {
            match next(dfa, cache, &mut state, bytes[place]) {
                Ok(StepOutcome::On) => {}
                Ok(StepOutcome::Match) => found = Some(place + 1),
                Ok(StepOutcome::Dead) => return Ok(Ok(found)),
                Err(unsupported) => return Ok(Err(unsupported)),
            }
            left -= 1;
            if left == 0 {
                left = *every;
                meter.pulse()?;
            }
        }
        // The byte before may decide whether a word or a line begins here.
        let last = match at.checked_sub(1) {
            Some(before) => match next(dfa, cache, &mut state, bytes[before]) {
                Ok(next) => matches!(next, StepOutcome::Match),
                Err(unsupported) => return Ok(Err(unsupported)),
            },
            None => match dfa.next_eoi_state(cache, state) {
                Ok(state) => state.is_match(),
                Err(_) => return Ok(Err(Unsupported)),
            },
        };
        Ok(Ok(if last { Some(at) } else { found }))
    }
}

fn next(
    dfa: &DFA,
    cache: &mut Cache,
    state: &mut LazyStateID,
    byte: u8,
) -> Result<StepOutcome, Unsupported> {
    *state = dfa.next_state(cache, *state, byte).map_err(|_| Unsupported)?;
    Ok(match state {
        state if !state.is_tagged() => StepOutcome::On,
        state if state.is_match() => StepOutcome::Match,
        state if state.is_dead() => StepOutcome::Dead,
        state if state.is_quit() => return Err(Unsupported),
        _ => StepOutcome::On,
    })
}
