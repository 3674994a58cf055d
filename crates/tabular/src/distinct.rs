//! What was seen before, in 16 bytes for each value.
use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::{BuildHasher, Hash},
};

use crate::error::TooMuch;

/// Two hashes under keys of the process, so that nobody can choose values that look alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prints([RandomState; 2]);

/// Stands for a value. Among 10^9 different ones, two alike have a chance of about 10^-20.
pub(crate) type Print = u128;

/// A set of values.
#[derive(Debug)]
pub(crate) struct Distinct {
    prints: Prints,
    seen: HashSet<Print>,
    most: usize,
}

impl Prints {
    pub(crate) fn of<T: Hash + ?Sized>(&self, value: &T) -> Print {
        let [high, low] = &self.0;
        (u128::from(high.hash_one(value)) << 64) | u128::from(low.hash_one(value))
    }
}

impl Distinct {
    pub(crate) fn new(most: usize) -> Self {
        Self { prints: Prints::default(), seen: HashSet::new(), most }
    }

    pub(crate) fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether `value` is new.
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
