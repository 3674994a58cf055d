//! The positions after which clients resume.
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

/// The log of a new client that follows these, each from 10 on.
fn log(names: &[&str]) -> DeliveryLog {
    let mut log = DeliveryLog::new(None);
    for name in names {
        log.followed(&topic(name), 2, Some(at(10)));
    }
    log
}

/// The offset after which each topic resumes, by name.
fn points(log: &DeliveryLog, offset: Option<&str>) -> Option<HashMap<String, u64>> {
    let points = log.points(offset)?;
    Some(points.iter().map(|point| (point.topic.name().to_owned(), point.after.offset)).collect())
}

fn map(points: &[(&str, u64)]) -> HashMap<String, u64> {
    points.iter().map(|(name, after)| ((*name).to_owned(), *after)).collect()
}

#[test]
fn an_offset_is_a_position_and_its_topic() {
    assert_eq!(offset("@a b", 7), "ab-7 room:@a b");
}

#[test]
fn each_topic_goes_on_after_what_was_shown_before_the_last_packet() {
    let mut log = log(&["a", "b", "c"]);
    for (name, number) in [("a", 11), ("a", 12), ("b", 11), ("a", 14), ("a", 15), ("b", 12)] {
        log.shown(&topic(name), at(number));
    }
    assert_eq!(points(&log, None), Some(map(&[("a", 10), ("b", 10), ("c", 10)])));
    for (last, a, b) in [
        (("a", 11), 11, 10),
        (("a", 12), 12, 10),
        (("b", 11), 12, 11),
        (("a", 14), 14, 11),
        (("a", 15), 15, 11),
        (("b", 12), 15, 12),
    ] {
        let found = points(&log, Some(&offset(last.0, last.1)));
        assert_eq!(found, Some(map(&[("a", a), ("b", b), ("c", 10)])), "{last:?}");
    }
}

#[test]
fn what_was_never_shown_is_unknown() {
    let mut log = log(&["a", "b"]);
    log.shown(&topic("a"), at(11));
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
        assert_eq!(points(&log, Some(unknown)), None, "{unknown:?}");
    }
}

#[test]
fn a_client_without_news_names_an_offset_from_before() {
    let mut log = DeliveryLog::new(Some(offset("z", 3).into()));
    log.followed(&topic("a"), 2, Some(at(10)));
    log.shown(&topic("a"), at(11));
    assert_eq!(points(&log, Some(&offset("z", 3))), Some(map(&[("a", 10)])));
    assert_eq!(points(&log, Some(&offset("a", 11))), Some(map(&[("a", 11)])));
    assert_eq!(points(&log, None), None);
}

#[test]
fn a_topic_that_was_left_is_not_followed_and_its_packets_are_known() {
    let mut log = log(&["a", "b"]);
    log.shown(&topic("b"), at(11));
    log.shown(&topic("a"), at(11));
    log.left(&topic("a"));
    assert_eq!(points(&log, Some(&offset("a", 11))), Some(map(&[("b", 11)])));
    // Followed again, it goes on from there, whatever was shown before.
    log.followed(&topic("a"), 2, Some(at(20)));
    assert_eq!(points(&log, Some(&offset("a", 11))), Some(map(&[("a", 20), ("b", 11)])));
    log.shown(&topic("a"), at(21));
    assert_eq!(points(&log, Some(&offset("a", 11))), Some(map(&[("a", 20), ("b", 11)])));
    assert_eq!(points(&log, Some(&offset("a", 21))), Some(map(&[("a", 21), ("b", 11)])));
}

#[test]
fn a_topic_that_was_moved_goes_on_from_there() {
    let mut log = log(&["a"]);
    log.shown(&topic("a"), at(15));
    log.followed(&topic("a"), 2, Some(at(11)));
    assert_eq!(points(&log, Some(&offset("a", 15))), Some(map(&[("a", 11)])));
    log.shown(&topic("a"), at(12));
    assert_eq!(points(&log, Some(&offset("a", 12))), Some(map(&[("a", 12)])));
    // Under another tag it stays where it is.
    log.followed(&topic("a"), 3, None);
    let point = ResumePoint { topic: topic("a"), tag: 3, after: at(12) };
    assert_eq!(log.points(Some(&offset("a", 12))), Some(vec![point]));
}

#[test]
fn a_log_that_started_over_is_gone_on_with_in_its_new_life() {
    let mut log = log(&["a"]);
    log.shown(&topic("a"), at(11));
    let young = Position { epoch: 0xAC, offset: 1 };
    log.shown(&topic("a"), young);
    for (offset, after) in
        [(Offset(&topic("a"), at(11)), at(11)), (Offset(&topic("a"), young), young)]
    {
        let points = log.points(Some(&offset.to_string())).unwrap();
        assert_eq!(points[0].after, after);
    }
}

#[test]
fn what_is_forgotten_is_where_the_topic_stood_and_its_packets_are_unknown() {
    let mut log = log(&["a", "b", "c"]);
    // One run each.
    for number in 11..1000 {
        log.shown(&topic("a"), at(number));
        log.shown(&topic("b"), at(number));
    }
    assert_eq!(log.runs.len(), RUNS);
    assert_eq!(points(&log, None), None);
    assert_eq!(points(&log, Some(&offset("b", 487))), None);
    let first = Some(map(&[("a", 488), ("b", 487), ("c", 10)]));
    assert_eq!(points(&log, Some(&offset("a", 488))), first);
    assert_eq!(
        points(&log, Some(&offset("b", 999))),
        Some(map(&[("a", 999), ("b", 999), ("c", 10)]))
    );
}

#[test]
fn any_number_of_records_of_one_topic_are_one_run() {
    let mut log = log(&["a"]);
    let begin = log.size();
    (11..100_000).for_each(|number| log.shown(&topic("a"), at(number)));
    assert_eq!(points(&log, None), Some(map(&[("a", 10)])));
    assert_eq!(points(&log, Some(&offset("a", 77_777))), Some(map(&[("a", 77_777)])));
    log.shrink();
    assert!(log.size() < begin + 100, "{} {begin}", log.size());
}

#[test]
fn the_newest_notes_are_kept() {
    let mut log = DeliveryLog::new(None);
    let notes: Vec<_> = (0..40).map(|n| (Uuid::now_v7(), n)).collect();
    for (id, tag) in &notes {
        log.note(*id, *tag);
    }
    assert_eq!(log.notes(), notes[notes.len() - NOTES..]);
}

proptest! {
    /// Whatever was shown, and wherever the client lost it: what it has seen and what follows are
    /// all there is, each once.
    #[test]
    fn nothing_is_lost_or_doubled(shown in prop::collection::vec(0..3_usize, 1..3000), cut: usize) {
        let names = ["a", "b", "c"];
        let mut log = log(&names);
        let mut tops = [10_u64; 3];
        let mut packets = Vec::new();
        for name in shown {
            tops[name] += 1;
            log.shown(&topic(names[name]), at(tops[name]));
            packets.push((name, tops[name]));
        }
        let cut = cut % packets.len();
        let (name, number) = packets[cut];
        let Some(points) = points(&log, Some(&offset(names[name], number))) else {
            prop_assert!(packets.len() - cut > RUNS, "only what is long ago may be unknown");
            return Ok(());
        };
        for (name, top) in names.iter().zip(tops) {
            let seen = packets[..=cut].iter().filter(|(it, _)| names[*it] == *name).count() as u64;
            prop_assert_eq!(points[*name], 10 + seen);
            prop_assert!(top >= points[*name]);
        }
    }
}
