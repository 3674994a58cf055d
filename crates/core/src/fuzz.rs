//! Fuzz targets for names, shared texts and compaction of `cargo xtask fuzz`. The tests replay their
//! seeds.
use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{
    Draft, Event, Kind, NAMESPACES, Position, Text, Topic,
    compaction::Compaction,
    event::Record,
    turn::{Delta, TurnEvent, TurnKind},
};

/// Checks that a name is a topic by the rules in the documentation and by no others, and survives
/// being shown.
pub fn names(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    assert_eq!(text.parse::<Topic>().is_ok(), is_topic(text), "{text:?}");
    let spelt = NAMESPACES.iter().any(|namespace| text.starts_with(&format!("{namespace}:")));
    let whole = if spelt { text.to_owned() } else { format!("chan:{text}") };
    let topic = Topic::from_channel(text);
    assert_eq!(topic.is_ok(), is_topic(&whole) && text != "subscription", "{text:?}");
    if let Ok(topic) = topic {
        assert_eq!(topic.as_str(), whole);
        assert_eq!(topic.to_string().parse(), Ok(topic.clone()));
        assert_eq!(Topic::from_channel(topic.channel()), Ok(topic));
    }
    if let Ok(topic) = text.parse::<Topic>() {
        assert_eq!(format!("{}:{}", topic.namespace(), topic.name()), text);
        // Only topics of the protocols have a channel.
        if spelt {
            assert_eq!(Topic::from_channel(topic.channel()), Ok(topic));
        }
    }
    let position = text.parse::<Position>();
    let json: Option<Position> =
        serde_json::from_str(&serde_json::Value::from(text).to_string()).ok();
    assert_eq!(position.ok(), json);
    if let Ok(at) = position {
        assert_eq!(at.to_string(), text);
    }
}

fn is_topic(text: &str) -> bool {
    let colon = text.find(':').unwrap_or(0);
    let plain = |c: char| c == ' ' || !(c.is_whitespace() || c.is_control());
    colon > 0 && colon + 1 < text.len() && text.len() <= 255 && text.chars().all(plain)
}

/// Checks that a slice of a slice is what it would be of a `str`. The first bytes say where to cut.
pub fn slices(data: &[u8]) {
    let Some((cuts, rest)) = data.split_first_chunk::<6>() else { return };
    let plain = String::from_utf8_lossy(rest).into_owned();
    let (mut text, mut plain) = (Text::from(plain.clone()), plain.as_str());
    for cut in cuts.as_chunks::<2>().0 {
        let [a, b] = cut.map(usize::from);
        let range = a.min(b)..a.max(b);
        let Some(part) = plain.get(range.clone()) else { continue };
        (text, plain) = (text.slice(range), part);
        assert_eq!(&*text, plain);
    }
}

/// Readers that have fallen behind get the newest record of each key and the text of every delta,
/// once and in order, or are told that something is lost. Each four bytes are one record.
pub fn coalesce(data: &[u8]) {
    let Some(([cursor, records], rest)) = data.split_first_chunk() else { return };
    let mut compaction = Compaction::default();
    let mut published = Vec::new();
    let mut ends = [0; 4];
    for (n, recipe) in rest.as_chunks().0.iter().take(64).enumerate() {
        let record = made(*recipe, n as u64 + 1, &mut ends);
        published.push(Record::clone(&record));
        compaction.push(record);
        if *records > 0 {
            compaction.bound(usize::from(*records), 1 << 20);
        }
    }
    let cursor = u64::from(*cursor);
    let (lost, left) = compaction.since(cursor);
    let mut rest = Compaction::default();
    for (offset, compacted) in left {
        rest.take(offset, compacted);
    }
    let got: Vec<_> = rest.records().collect();
    assert!(got.is_sorted_by(|a, b| a.at.offset < b.at.offset), "{got:?}");
    published.retain(|record| record.at.offset >= cursor);
    let (got, wanted) = (Left::of(&got), Left::of(&published));
    for (key, text) in &got.texts {
        assert!(wanted.texts.get(key).is_some_and(|all| all.ends_with(text.as_slice())));
    }
    assert!(!got.unkeyed, "a record without a key does not survive");
    if !lost {
        assert_eq!((&got.texts, &got.newest), (&wanted.texts, &wanted.newest));
        assert!(!wanted.unkeyed, "a record was lost and that is not told");
    }
    compaction.bound(0, 0);
    assert_eq!(compaction.records().count(), 0);
}

/// The state that a reader builds from records.
#[derive(Default)]
struct Left {
    /// Of each turn's reply, and of its thoughts, all characters, each with its place.
    texts: BTreeMap<(Uuid, bool), Vec<(u64, char)>>,
    /// Of each other key the newest payload.
    newest: BTreeMap<String, String>,
    unkeyed: bool,
}

impl Left {
    fn of(records: &[Record]) -> Self {
        let mut left = Self::default();
        for record in records {
            let event = TurnEvent::of(record);
            let is_thought = matches!(event, Some(TurnEvent::Reasoning(_)));
            match (event, &record.key) {
                (
                    Some(
                        TurnEvent::Delta(Delta { turn, start, text })
                        | TurnEvent::Reasoning(Delta { turn, start, text }),
                    ),
                    _,
                ) => {
                    let places = (0..).map(|n: u64| start.wrapping_add(n));
                    left.texts
                        .entry((turn, is_thought))
                        .or_default()
                        .extend(places.zip(text.chars()));
                }
                (_, Some(key)) => {
                    left.newest.insert((**key).to_owned(), (*record.payload).to_owned());
                }
                (_, None) => left.unkeyed = true,
            }
        }
        left
    }
}

/// A record by its recipe: kind and key, where a delta starts, its text.
fn made([what, start, len, letter]: [u8; 4], offset: u64, ends: &mut [u64; 4]) -> Record {
    let topic = Topic::new("user", "7").expect("a topic");
    let which = usize::from(what & 1);
    let is_thought = what & 8 != 0;
    let end = &mut ends[which + 2 * usize::from(is_thought)];
    let draft = match what >> 1 & 3 {
        0 | 1 => {
            let start = match start {
                // Most follow on the one before.
                0..=0xDF => *end,
                0xFF => u64::MAX - u64::from(len & 3),
                other => u64::from(other),
            };
            let letter = ['a', 'ä', '€', '😀', '"', '\n'][usize::from(letter) % 6];
            let text: String = (0..len % 8).map(|_| letter).collect();
            *end = start.wrapping_add(text.chars().count() as u64);
            let delta = Delta { turn: Uuid::from_u128(which as u128), start, text };
            let event =
                if is_thought { TurnEvent::Reasoning(delta) } else { TurnEvent::Delta(delta) };
            event.draft(topic)
        }
        // Looks like a delta, and is none.
        2 if len == 0 => {
            Draft::new(topic, TurnKind::Delta.as_str(), "{}").key(Some("delta".into()))
        }
        2 => Draft::new(topic, Kind::from("note"), letter.to_string())
            .key(Some(format!("{which}").into())),
        _ => Draft::new(topic, Kind::from("note"), letter.to_string()),
    };
    Record::new(Event::new(draft, Position { epoch: 1, offset }))
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
pub(crate) mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    use crate::fuzz::replay::replay;

    #[test]
    fn no_seed_breaks_a_name() {
        replay("names", names);
    }

    #[test]
    fn no_seed_breaks_a_slice() {
        replay("slices", slices);
    }

    #[test]
    fn no_seed_breaks_what_is_left_for_slow_readers() {
        replay("coalesce", coalesce);
    }
}
