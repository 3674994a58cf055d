//! Runs a fuzz target on its seeds, and on changed copies of them, in an ordinary test.
//!
//! The changes are the same in every run: what fails once fails again.
use std::{fs, path::Path};

/// Changed copies of each seed.
const COPIES: u64 = 300;

/// The most changes in one copy.
const CHANGES: usize = 6;

/// Runs `target` on everything in `fuzz/seeds/NAME`.
pub(crate) fn replay(name: &str, target: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(name);
    let seeds = fs::read_dir(&seeds).unwrap_or_else(|why| panic!("{}: {why}", seeds.display()));
    let mut seeds: Vec<_> = seeds.map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{name} has no seeds");
    let mut dice = Dice(1);
    for path in seeds {
        let seed = fs::read(&path).unwrap();
        target(&seed);
        for _ in 0..COPIES {
            target(&dice.changed(&seed));
        }
    }
}

/// Numbers that look random (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % bound.max(1)
    }

    fn changed(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut copy = seed.to_vec();
        for _ in 0..=self.below(CHANGES) {
            let at = self.below(copy.len() + 1);
            let to = at + self.below(copy.len() + 1 - at);
            match self.below(5) {
                0 => copy.truncate(at),
                1 => drop(copy.drain(at..to)),
                2 => {
                    let again = copy.get(at..to).unwrap_or_default().to_vec();
                    copy.splice(at..at, again);
                }
                3 => copy.insert(at, u8::try_from(self.below(256)).unwrap()),
                _ => {
                    if let Some(byte) = copy.get_mut(at) {
                        *byte ^= 1 << self.below(8);
                    }
                }
            }
        }
        copy
    }
}
