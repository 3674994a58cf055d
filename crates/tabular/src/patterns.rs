//! Patterns of clients, within bounds: of each, and of how many there are.
use std::collections::HashMap;

use regex::{Regex, RegexBuilder};

/// The patterns of one operation.
#[derive(Debug, Default)]
pub(crate) struct Patterns(HashMap<String, Regex>);

/// Different ones.
const MOST: usize = 32;

/// Bytes that one may take when it is compiled, and again while it searches.
const SIZE: usize = 1 << 20;

impl Patterns {
    pub(crate) fn get(&mut self, pattern: &str) -> Result<Regex, String> {
        if let Some(known) = self.0.get(pattern) {
            return Ok(known.clone());
        }
        if self.0.len() >= MOST {
            return Err(format!("{MOST} different patterns are the most; use several steps"));
        }
        let compiled = RegexBuilder::new(pattern).size_limit(SIZE).dfa_size_limit(SIZE).build();
        let compiled = compiled.map_err(|why| why.to_string())?;
        self.0.insert(pattern.to_owned(), compiled.clone());
        Ok(compiled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_bounded_in_size_and_number() {
        let mut patterns = Patterns::default();
        patterns.get(r"\w{1000}").unwrap_err();
        patterns.get("(").unwrap_err();
        for n in 0..MOST {
            patterns.get(&format!("a{n}")).unwrap();
        }
        patterns.get("b").unwrap_err();
        patterns.get("a7").unwrap();
    }
}
