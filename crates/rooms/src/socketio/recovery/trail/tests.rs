//! Where clients go on that were shown this and that.
use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn topic(name: &str) -> Topic {
    Topic::new("room", name).unwrap()
}

fn at(offset: u64) -> Position {
    Position { epoch: 0xAB, offset }
}

/// The offset of the packet that shows a record.
fn offset(name: &str, number: u64) -> String {
    Offset(&topic(name), at(number)).to_string()
}

/// A trail of a new client that follows these, each from 10 on.
fn trail(names: &[&str]) -> Trail {
    let mut trail = Trail::new(None);
    for name in names {
        trail.followed(&topic(name), 2, Some(at(10)));
    }
    trail
}

/// Where topics go on, by name.
fn places(trail: &Trail, offset: Option<&str>) -> Option<HashMap<String, u64>> {
    let places = trail.places(offset)?;
    Some(places.iter().map(|it| (it.topic.name().to_owned(), it.after.offset)).collect())
}

fn map(places: &[(&str, u64)]) -> HashMap<String, u64> {
    places.iter().map(|(name, after)| ((*name).to_owned(), *after)).collect()
}

#[test]
fn an_offset_is_a_position_and_its_topic() {
    assert_eq!(offset("@a b", 7), "ab-7 room:@a b");
}

#[test]
fn each_topic_goes_on_after_what_was_shown_before_the_last_packet() {
    let mut trail = trail(&["a", "b", "c"]);
    for (name, number) in [("a", 11), ("a", 12), ("b", 11), ("a", 14), ("a", 15), ("b", 12)] {
        trail.shown(&topic(name), at(number));
    }
    assert_eq!(places(&trail, None), Some(map(&[("a", 10), ("b", 10), ("c", 10)])));
    for (last, a, b) in [
        (("a", 11), 11, 10),
        (("a", 12), 12, 10),
        (("b", 11), 12, 11),
        (("a", 14), 14, 11),
        (("a", 15), 15, 11),
        (("b", 12), 15, 12),
    ] {
        let found = places(&trail, Some(&offset(last.0, last.1)));
        assert_eq!(found, Some(map(&[("a", a), ("b", b), ("c", 10)])), "{last:?}");
    }
}

#[test]
fn what_was_never_shown_is_unknown() {
    let mut trail = trail(&["a", "b"]);
    trail.shown(&topic("a"), at(11));
    let other_epoch = Offset(&topic("a"), Position { epoch: 1, offset: 11 }).to_string();
    let unknown = [
        &*offset("a", 10),
        &*offset("a", 12),
        &*offset("b", 11),
        &*other_epoch,
        "",
        "ab-11",
        "x y",
    ];
    for unknown in unknown {
        assert_eq!(places(&trail, Some(unknown)), None, "{unknown:?}");
    }
}

#[test]
fn a_client_without_news_names_an_offset_from_before() {
    let mut trail = Trail::new(Some(offset("z", 3).into()));
    trail.followed(&topic("a"), 2, Some(at(10)));
    trail.shown(&topic("a"), at(11));
    assert_eq!(places(&trail, Some(&offset("z", 3))), Some(map(&[("a", 10)])));
    assert_eq!(places(&trail, Some(&offset("a", 11))), Some(map(&[("a", 11)])));
    assert_eq!(places(&trail, None), None);
}

#[test]
fn a_topic_that_was_left_is_not_followed_and_its_packets_are_known() {
    let mut trail = trail(&["a", "b"]);
    trail.shown(&topic("b"), at(11));
    trail.shown(&topic("a"), at(11));
    trail.left(&topic("a"));
    assert_eq!(places(&trail, Some(&offset("a", 11))), Some(map(&[("b", 11)])));
    // Followed again, it goes on from there, whatever was shown before.
    trail.followed(&topic("a"), 2, Some(at(20)));
    assert_eq!(places(&trail, Some(&offset("a", 11))), Some(map(&[("a", 20), ("b", 11)])));
    trail.shown(&topic("a"), at(21));
    assert_eq!(places(&trail, Some(&offset("a", 11))), Some(map(&[("a", 20), ("b", 11)])));
    assert_eq!(places(&trail, Some(&offset("a", 21))), Some(map(&[("a", 21), ("b", 11)])));
}

#[test]
fn a_topic_that_was_moved_goes_on_from_there() {
    let mut trail = trail(&["a"]);
    trail.shown(&topic("a"), at(15));
    trail.followed(&topic("a"), 2, Some(at(11)));
    assert_eq!(places(&trail, Some(&offset("a", 15))), Some(map(&[("a", 11)])));
    trail.shown(&topic("a"), at(12));
    assert_eq!(places(&trail, Some(&offset("a", 12))), Some(map(&[("a", 12)])));
    // Under another tag it stays where it is.
    trail.followed(&topic("a"), 3, None);
    let place = Place { topic: topic("a"), tag: 3, after: at(12) };
    assert_eq!(trail.places(Some(&offset("a", 12))), Some(vec![place]));
}

#[test]
fn a_log_that_started_over_is_gone_on_with_in_its_new_life() {
    let mut trail = trail(&["a"]);
    trail.shown(&topic("a"), at(11));
    let young = Position { epoch: 0xAC, offset: 1 };
    trail.shown(&topic("a"), young);
    for (offset, after) in
        [(Offset(&topic("a"), at(11)), at(11)), (Offset(&topic("a"), young), young)]
    {
        let places = trail.places(Some(&offset.to_string())).unwrap();
        assert_eq!(places[0].after, after);
    }
}

#[test]
fn what_is_forgotten_is_where_the_topic_stood_and_its_packets_are_unknown() {
    let mut trail = trail(&["a", "b", "c"]);
    // One run each.
    for number in 11..1000 {
        trail.shown(&topic("a"), at(number));
        trail.shown(&topic("b"), at(number));
    }
    assert_eq!(trail.runs.len(), RUNS);
    assert_eq!(places(&trail, None), None);
    assert_eq!(places(&trail, Some(&offset("b", 487))), None);
    let first = Some(map(&[("a", 488), ("b", 487), ("c", 10)]));
    assert_eq!(places(&trail, Some(&offset("a", 488))), first);
    assert_eq!(
        places(&trail, Some(&offset("b", 999))),
        Some(map(&[("a", 999), ("b", 999), ("c", 10)]))
    );
}

#[test]
fn any_number_of_records_of_one_topic_are_one_run() {
    let mut trail = trail(&["a"]);
    let begin = trail.size();
    (11..100_000).for_each(|number| trail.shown(&topic("a"), at(number)));
    assert_eq!(places(&trail, None), Some(map(&[("a", 10)])));
    assert_eq!(places(&trail, Some(&offset("a", 77_777))), Some(map(&[("a", 77_777)])));
    trail.shrink();
    assert!(trail.size() < begin + 100, "{} {begin}", trail.size());
}

#[test]
fn the_newest_turns_are_known() {
    let mut trail = Trail::new(None);
    let turns: Vec<_> = (0..40).map(|_| Uuid::now_v7()).collect();
    for turn in &turns {
        trail.asked(*turn, Form::Whole);
    }
    let known: Vec<_> = trail.turns().into_iter().map(|(turn, _)| turn).collect();
    assert_eq!(known, turns[turns.len() - Owned::MAX..]);
}

proptest! {
    /// Whatever was shown, and wherever the client lost it: what it has seen and what follows are
    /// all there is, each once.
    #[test]
    fn nothing_is_lost_or_doubled(shown in prop::collection::vec(0..3_usize, 1..3000), cut: usize) {
        let names = ["a", "b", "c"];
        let mut trail = trail(&names);
        let mut tops = [10_u64; 3];
        let mut packets = Vec::new();
        for name in shown {
            tops[name] += 1;
            trail.shown(&topic(names[name]), at(tops[name]));
            packets.push((name, tops[name]));
        }
        let cut = cut % packets.len();
        let (name, number) = packets[cut];
        let Some(places) = places(&trail, Some(&offset(names[name], number))) else {
            prop_assert!(packets.len() - cut > RUNS, "only what is long ago may be unknown");
            return Ok(());
        };
        for (name, top) in names.iter().zip(tops) {
            let seen = packets[..=cut].iter().filter(|(it, _)| names[*it] == *name).count() as u64;
            prop_assert_eq!(places[*name], 10 + seen);
            prop_assert!(top >= places[*name]);
        }
    }
}
