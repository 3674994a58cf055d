//! A search that looks at one byte after the other, so that it can be ended between any two.
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
pub(super) struct Steps {
    regex: Regex,
    forward: Cache,
    reverse: Cache,
    states: usize,
    /// Bytes between two looks at the clock: less than a millisecond at worst.
    every: usize,
}

/// The search cannot be done so, which is no answer: a word ends between letters that are not ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gave;

/// A state times a byte takes some nanoseconds at worst.
const BETWEEN: usize = 200_000;

/// What to do with the state after one more byte.
enum Next {
    On,
    Match,
    Dead,
}

impl Steps {
    /// `pattern` as steps, if its states take no more than some times `size`.
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
        let every = (BETWEEN / states.max(1)).clamp(8, 4096);
        Some(Self { regex, forward, reverse, states, every })
    }

    pub(super) fn states(&self) -> usize {
        self.states
    }

    /// Where the first match after `at` begins and ends.
    pub(super) fn find(
        &mut self,
        text: &str,
        at: usize,
        meter: &mut Meter<'_>,
    ) -> Result<Result<Option<(usize, usize)>, Gave>, Error> {
        let end = match self.end(text, at, false, meter)? {
            Ok(Some(end)) => end,
            Ok(None) => return Ok(Ok(None)),
            Err(gave) => return Ok(Err(gave)),
        };
        let start = self.start(text, at, end, meter)?;
        Ok(start.map(|start| Some((start.unwrap_or(end), end))))
    }

    /// Where the first match after `at` ends, or that there is one, if only that is asked.
    pub(super) fn end(
        &mut self,
        text: &str,
        at: usize,
        only_whether: bool,
        meter: &mut Meter<'_>,
    ) -> Result<Result<Option<usize>, Gave>, Error> {
        let Self { regex, forward: cache, every, .. } = self;
        let dfa = regex.forward();
        let input = Input::new(text).range(at..);
        let Ok(mut state) = dfa.start_state_forward(cache, &input) else { return Ok(Err(Gave)) };
        let mut found = None;
        let mut left = *every;
        for (place, byte) in text.bytes().enumerate().skip(at) {
            match next(dfa, cache, &mut state, byte) {
                Ok(Next::On) => {}
                // A match is seen one byte late.
                Ok(Next::Match) => found = Some(place),
                Ok(Next::Dead) => return Ok(Ok(found)),
                Err(gave) => return Ok(Err(gave)),
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
        let Ok(state) = dfa.next_eoi_state(cache, state) else { return Ok(Err(Gave)) };
        Ok(Ok(if state.is_match() { Some(text.len()) } else { found }))
    }

    /// Where the match begins that ends at `end`, not before `at`.
    fn start(
        &mut self,
        text: &str,
        at: usize,
        end: usize,
        meter: &mut Meter<'_>,
    ) -> Result<Result<Option<usize>, Gave>, Error> {
        let Self { regex, reverse: cache, every, .. } = self;
        let dfa = regex.reverse();
        let input = Input::new(text).range(at..end).anchored(Anchored::Yes);
        let Ok(mut state) = dfa.start_state_reverse(cache, &input) else { return Ok(Err(Gave)) };
        let mut found = None;
        let mut left = *every;
        let bytes = text.as_bytes();
        for place in (at..end).rev() {
            match next(dfa, cache, &mut state, bytes[place]) {
                Ok(Next::On) => {}
                Ok(Next::Match) => found = Some(place + 1),
                Ok(Next::Dead) => return Ok(Ok(found)),
                Err(gave) => return Ok(Err(gave)),
            }
            left -= 1;
            if left == 0 {
                left = *every;
                meter.pulse()?;
            }
        }
        // What is before it may count: whether a word or a line begins here.
        let last = match at.checked_sub(1) {
            Some(before) => match next(dfa, cache, &mut state, bytes[before]) {
                Ok(next) => matches!(next, Next::Match),
                Err(gave) => return Ok(Err(gave)),
            },
            None => match dfa.next_eoi_state(cache, state) {
                Ok(state) => state.is_match(),
                Err(_) => return Ok(Err(Gave)),
            },
        };
        Ok(Ok(if last { Some(at) } else { found }))
    }
}

fn next(dfa: &DFA, cache: &mut Cache, state: &mut LazyStateID, byte: u8) -> Result<Next, Gave> {
    *state = dfa.next_state(cache, *state, byte).map_err(|_| Gave)?;
    Ok(match state {
        it if !it.is_tagged() => Next::On,
        it if it.is_match() => Next::Match,
        it if it.is_dead() => Next::Dead,
        it if it.is_quit() => return Err(Gave),
        _ => Next::On,
    })
}
