//! Sets of seen values, at 16 bytes for each value.
use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::{BuildHasher, Hash},
};

use crate::error::TooMuch;

/// Makes fingerprints of two hashes with random keys, so that clients cannot provoke collisions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fingerprinter([RandomState; 2]);

/// Fingerprint of a value. Among 10^9 values, the chance of a collision is about 10^-20.
pub(crate) type Fingerprint = u128;

/// A set of values. Holds at most `most` of them.
#[derive(Debug)]
pub(crate) struct Distinct {
    prints: Fingerprinter,
    seen: HashSet<Fingerprint>,
    most: usize,
}

impl Fingerprinter {
    pub(crate) fn of<T: Hash + ?Sized>(&self, value: &T) -> Fingerprint {
        let [high, low] = &self.0;
        (u128::from(high.hash_one(value)) << 64) | u128::from(low.hash_one(value))
    }
}

impl Distinct {
    pub(crate) fn new(most: usize) -> Self {
        Self { prints: Fingerprinter::default(), seen: HashSet::new(), most }
    }

    pub(crate) fn len(&self) -> usize {
        self.seen.len()
    }

    /// Adds `value`, and returns whether it is new.
    pub(crate) fn insert<T: Hash + ?Sized>(&mut self, value: &T) -> Result<bool, TooMuch> {
        let print = self.prints.of(value);
        if self.seen.contains(&print) {
            return Ok(false);
        }
        if self.seen.len() >= self.most {
            return Err(TooMuch::Distinct { most: self.most });
        }
        self.seen.insert(print);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cell;

    #[test]
    fn the_empty_text_and_no_value_are_two_values() {
        let mut seen = Distinct::new(3);
        assert_eq!(seen.insert(&Cell::Missing), Ok(true));
        assert_eq!(seen.insert(&Cell::EMPTY), Ok(true));
        assert_eq!(seen.insert(&Cell::Missing), Ok(false));
        assert_eq!(seen.insert(&Cell::Int(1)), Ok(true));
        assert_eq!(seen.insert(&Cell::from("1")), Err(TooMuch::Distinct { most: 3 }));
        assert_eq!(seen.insert(&Cell::Int(1)), Ok(false));
    }
}
