//! Random names for participants.
use std::hash::{BuildHasher, RandomState};

const WORDS: [&str; 60] = [
    // Animals of the sea.
    "Dolphin",
    "Octopus",
    "Seahorse",
    "Manatee",
    "Narwhal",
    "Walrus",
    "Stingray",
    "Lobster",
    "Cuttlefish",
    "Barracuda",
    "Marlin",
    "Orca",
    "Nautilus",
    "Anemone",
    "Starfish",
    "Herring",
    "Mackerel",
    "Porpoise",
    "Urchin",
    "Turbot",
    // Animals of the land.
    "Badger",
    "Lynx",
    "Gazelle",
    "Hedgehog",
    "Marten",
    "Ibex",
    "Bison",
    "Otter",
    "Wombat",
    "Tapir",
    "Ocelot",
    "Meerkat",
    "Alpaca",
    "Jackal",
    "Caribou",
    "Lemur",
    "Pangolin",
    "Armadillo",
    "Ferret",
    "Weasel",
    // Stars and planets.
    "Andromeda",
    "Antares",
    "Arcturus",
    "Bellatrix",
    "Capella",
    "Cassiopeia",
    "Ceres",
    "Cygnus",
    "Deneb",
    "Juno",
    "Lyra",
    "Orion",
    "Pallas",
    "Perseus",
    "Polaris",
    "Procyon",
    "Rigel",
    "Sirius",
    "Spica",
    "Vega",
];

/// A word and a number from 1000 to 9999. Names may repeat.
pub(crate) fn participant() -> String {
    // Each `RandomState` has random keys, so its hash of any value is a random number.
    let random = |bound: usize| {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(RandomState::new().hash_one(bound) % bound).unwrap_or_default()
    };
    format!("{}-{}", WORDS[random(WORDS.len())], 1000 + random(9000))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_word_is_there_twice() {
        assert_eq!(WORDS.iter().collect::<HashSet<_>>().len(), 60);
    }

    #[test]
    fn names_are_a_word_and_four_digits_and_differ() {
        let names: HashSet<_> = (0..1000).map(|_| participant()).collect();
        for name in &names {
            let (word, number) = name.split_once('-').unwrap();
            assert!(WORDS.contains(&word), "{name}");
            assert!((1000..=9999).contains(&number.parse::<u16>().unwrap()), "{name}");
        }
        assert!(names.len() > 900, "{} of 1000", names.len());
    }
}
