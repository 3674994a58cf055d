//! Patterns of clients, bounded in size, in number, and in the time until the next cancellation
//! check.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use regex::{Captures, Regex, RegexBuilder};

use crate::{error::Error, progress::Meter};

mod steps;

use steps::SteppedSearch;

/// The patterns of one operation.
#[derive(Debug, Default)]
pub(crate) struct Patterns(HashMap<String, CellPattern>);

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct CellPattern {
    regex: Regex,
    steps: Arc<OnceLock<Option<Mutex<SteppedSearch>>>>,
}

/// Most distinct patterns of an operation.
const MAX_PATTERNS: usize = 32;

/// Most bytes of a compiled pattern, and again of its search state.
const MAX_COMPILED_SIZE: usize = 1 << 20;

/// Texts up to this many bytes are cheap to search for any pattern.
const SHORT_TEXT: usize = 64;

/// Bytes of a text times states of a pattern: the most for an uninterrupted search, some
/// milliseconds at worst.
const CHEAP_SEARCH: usize = if cfg!(test) { 100_000 } else { 2_000_000 };

/// The most for a search that cannot be interrupted, some tenths of a second at worst.
const COSTLY_SEARCH: usize = 100_000_000;

impl Patterns {
    pub(crate) fn get(&mut self, pattern: &str) -> Result<CellPattern, String> {
        if let Some(known) = self.0.get(pattern) {
            return Ok(known.clone());
        }
        if self.0.len() >= MAX_PATTERNS {
            return Err(format!(
                "the limit is {MAX_PATTERNS} different patterns; use several steps"
            ));
        }
        let compiled = RegexBuilder::new(pattern)
            .size_limit(MAX_COMPILED_SIZE)
            .dfa_size_limit(MAX_COMPILED_SIZE)
            .build();
        let regex = compiled.map_err(|err| err.to_string())?;
        let compiled = CellPattern { regex, steps: Arc::default() };
        self.0.insert(pattern.to_owned(), compiled.clone());
        Ok(compiled)
    }
}

// === impl CellPattern ===

impl CellPattern {
    pub(crate) fn regex(&self) -> &Regex {
        &self.regex
    }

    pub(crate) fn is_match(&self, text: &str, meter: &mut Meter<'_>) -> Result<bool, Error> {
        let Some(steps) = self.steps(text) else { return Ok(self.regex.is_match(text)) };
        let mut steps = steps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(found) = steps.end(text, 0, true, meter)? {
            return Ok(found.is_some());
        }
        bounded(text, steps.states())?;
        Ok(self.regex.is_match(text))
    }

    /// Calls `each` with the start and end of every match, and with its groups if they are
    /// `wanted`.
    pub(crate) fn matches(
        &self,
        text: &str,
        wanted: bool,
        meter: &mut Meter<'_>,
        mut each: impl FnMut(usize, usize, Option<&Captures<'_>>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(steps) = self.steps(text) else {
            for found in self.regex.captures_iter(text) {
                meter.pulse()?;
                let whole = found.get_match();
                each(whole.start(), whole.end(), Some(&found))?;
            }
            return Ok(());
        };
        let mut steps = steps.lock().unwrap_or_else(PoisonError::into_inner);
        let mut at = 0;
        let mut last = None;
        while at <= text.len() {
            meter.pulse()?;
            let rest = text.get(at..).unwrap_or_default();
            let found = if let Ok(found) = steps.find(text, at, meter)? {
                found
            } else {
                bounded(rest, steps.states())?;
                self.regex.find_at(text, at).map(|found| (found.start(), found.end()))
            };
            let Some((start, end)) = found else { return Ok(()) };
            if start == end && (last == Some(end) || !text.is_char_boundary(end)) {
                at = (end + 1..=text.len())
                    .find(|at| text.is_char_boundary(*at))
                    .unwrap_or(text.len() + 1);
                continue;
            }
            let captures = if wanted {
                bounded(text.get(start..).unwrap_or_default(), steps.states())?;
                self.regex.captures_at(text, start)
            } else {
                None
            };
            each(start, end, captures.as_ref())?;
            (at, last) = (end, Some(end));
        }
        Ok(())
    }

    /// Returns the interruptible search, if the text needs one.
    fn steps(&self, text: &str) -> Option<&Mutex<SteppedSearch>> {
        if text.len() <= SHORT_TEXT {
            return None;
        }
        let new = || SteppedSearch::new(self.regex.as_str(), MAX_COMPILED_SIZE).map(Mutex::new);
        let steps = self.steps.get_or_init(new).as_ref()?;
        let states = steps.lock().unwrap_or_else(PoisonError::into_inner).states();
        (text.len().saturating_mul(states) > CHEAP_SEARCH).then_some(steps)
    }
}

/// Fails if an uninterrupted search may take too long.
fn bounded(text: &str, states: usize) -> Result<(), Error> {
    if text.len().saturating_mul(states) <= COSTLY_SEARCH {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "the pattern is too costly for a cell of {} bytes; write a shorter one, one without \\b and \
         groups, or shorten the cell",
        text.len()
    )))
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;

    #[test]
    fn patterns_are_bounded_in_size_and_number() {
        let mut patterns = Patterns::default();
        patterns.get(r"\w{1000}").unwrap_err();
        patterns.get("(").unwrap_err();
        for n in 0..MAX_PATTERNS {
            patterns.get(&format!("a{n}")).unwrap();
        }
        patterns.get("b").unwrap_err();
        patterns.get("a7").unwrap();
    }

    /// Makes a pattern of many states, so that the search is interruptible.
    fn slow(tail: &str) -> String {
        let words = (50..300).step_by(50).map(|n| format!("x{{0,{n}}}y{n}")).collect::<Vec<_>>();
        format!("(?:{}|{tail})", words.join("|"))
    }

    #[test]
    fn a_search_in_steps_finds_what_a_search_in_one_go_finds() {
        let mut watch = |_| ControlFlow::Continue(());
        let mut meter = Meter::new(&mut watch, 1);
        let text = format!("é{}xy50 ab\n12 {} zé9ab", "x".repeat(300), "ü€ ".repeat(50));
        for tail in [
            "ab", "(a)(b)", "$", "^", "", "[0-9]+", r"\d+", "(?m)^1", "é", "a*", "z|é9", r"\bab",
            "b.z", "zé9ab$",
        ] {
            let pattern = Patterns::default().get(&slow(tail)).unwrap();
            assert!(pattern.steps(&text).is_some(), "{tail} is searched in steps");
            assert_eq!(
                pattern.is_match(&text, &mut meter).unwrap(),
                pattern.regex.is_match(&text),
                "{tail}"
            );
            let mut found = Vec::new();
            let collect = |start, end, _: Option<&Captures<'_>>| {
                found.push((start, end));
                Ok(())
            };
            pattern.matches(&text, true, &mut meter, collect).unwrap();
            let right: Vec<_> =
                pattern.regex.find_iter(&text).map(|found| (found.start(), found.end())).collect();
            assert_eq!(found, right, "{tail}");
        }
    }

    #[test]
    fn a_search_ends_when_it_is_cancelled_within_a_text() {
        let pattern = Patterns::default().get(&slow("q")).unwrap();
        let text = "x".repeat(16 << 20);
        let mut watch = |_| ControlFlow::Break(());
        let mut meter = Meter::new(&mut watch, 1);
        let cancelled = |result: Result<(), Error>| matches!(result, Err(Error::Cancelled { .. }));
        assert!(cancelled(pattern.is_match(&text, &mut meter).map(drop)));
        assert!(cancelled(pattern.matches(&text, false, &mut meter, |_, _, _| Ok(()))));
        // A costly search that cannot be interrupted is refused before it begins.
        let pattern = Patterns::default().get(&slow(r"q\b")).unwrap();
        let text = format!("é{text}");
        let mut watch = |_| ControlFlow::Continue(());
        let mut meter = Meter::new(&mut watch, 1);
        let refused = pattern.is_match(&text, &mut meter).unwrap_err().to_string();
        assert!(refused.starts_with("the pattern is too costly for a cell of 16777218 bytes"));
    }
}
