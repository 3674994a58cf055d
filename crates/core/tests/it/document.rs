//! Joining in the middle of a turn.
use std::time::Duration;

use quadrille_core::{
    Delivery, Draft, Event, Hub, Inbox, OnSlow, Policy, Position, Record, Since, Topic,
    turn::{Completed, Delta, Started, Status, TurnEvent, TurnKind, TurnSnapshot},
};
use serde_json::json;
use uuid::Uuid;

use crate::{drain, following, holding, hub, publish, topic};

const TURN: Uuid = Uuid::from_u128(7);

fn put(hub: &Hub, event: &TurnEvent) -> Position {
    let published = hub.publish(event.draft(topic("1")));
    futures_util::FutureExt::now_or_never(published).unwrap().unwrap().at
}

fn start(hub: &Hub) -> Position {
    let (agent, user, question) = ("echo".into(), "7".into(), "Wie?".into());
    put(hub, &TurnEvent::Started(Started { turn: TURN, agent, user, question }))
}

/// Publishes one delta for each number.
fn say(hub: &Hub, numbers: std::ops::Range<u64>) {
    for n in numbers {
        put(hub, &TurnEvent::Delta(Delta { turn: TURN, start: n * 2, text: text(n..n + 1) }));
    }
}

fn text(numbers: std::ops::Range<u64>) -> String {
    numbers.flat_map(|n| [char::from(b'a' + u8::try_from(n % 26).unwrap()), 'ä']).collect()
}

fn end(hub: &Hub, text: &str) -> Position {
    put(
        hub,
        &TurnEvent::Completed(Completed { turn: TURN, text: text.into(), ..Completed::default() }),
    )
}

fn deliveries(inbox: &mut Inbox) -> Vec<Delivery> {
    let mut out = Vec::new();
    let waker = futures_util::task::noop_waker();
    let mut cx = std::task::Context::from_waker(&waker);
    while inbox.poll_recv(&mut cx, crate::ALL, &mut out).is_ready() {}
    out
}

fn record(delivery: &Delivery) -> &Record {
    let Delivery::Record(record, _) = delivery else { panic!("{delivery:?}") };
    record
}

fn delta(event: &Event) -> Option<String> {
    match TurnEvent::of(event) {
        Some(TurnEvent::Delta(delta)) => Some(delta.text),
        _ => None,
    }
}

fn snapshot(event: &Event) -> TurnSnapshot {
    let Some(TurnEvent::Snapshot(snapshot)) = TurnEvent::of(event) else { panic!("{event:?}") };
    snapshot
}

/// The log has ended with the delta of the number 9, and its ring holds four records.
fn spoken(on_slow: OnSlow) -> Hub {
    let hub = hub(holding(4, on_slow));
    start(&hub);
    say(&hub, 0..9);
    hub
}

#[tokio::test]
async fn who_comes_without_a_cursor_gets_all_of_the_turn_and_then_the_rest() {
    for on_slow in [OnSlow::Skip, OnSlow::Coalesce, OnSlow::Disconnect] {
        let hub = spoken(on_slow);
        let mut inbox = following(&hub, &topic("1"), Since::Now);
        say(&hub, 9..10);
        let all = deliveries(&mut inbox);
        let first = snapshot(record(&all[0]));
        let asked = (&*first.agent, &*first.user, &*first.question, first.turn);
        assert_eq!((first.text, asked), (text(0..10), ("echo", "7", "Wie?", TURN)));
        assert_eq!((all.len(), record(&all[0]).at), (1, hub.top(&topic("1")).unwrap()));
        say(&hub, 10..12);
        assert_eq!(drain(&mut inbox), ["12", "13"]);
    }
}

#[tokio::test]
async fn after_the_position_of_a_snapshot_comes_neither_a_snapshot_nor_anything_twice() {
    let hub = spoken(OnSlow::Skip);
    publish(&hub, &topic("1"), "5").await;
    let mut inbox = following(&hub, &topic("1"), Since::Now);
    let all = deliveries(&mut inbox);
    let at = record(&all[0]).at;
    assert_eq!((all.len(), at.offset), (1, 10), "not what was published before");
    assert_eq!(drain(&mut following(&hub, &topic("1"), Since::After(at))), ["11"]);
    say(&hub, 9..10);
    assert_eq!(drain(&mut inbox), ["12"]);
}

#[tokio::test]
async fn a_client_that_leaves_before_it_has_the_snapshot_is_given_it_when_it_comes_back() {
    let hub = hub(holding(4, OnSlow::Skip));
    publish(&hub, &topic("1"), "5").await;
    start(&hub);
    for numbers in [0..2, 2..9] {
        say(&hub, numbers.clone());
        let begin = hub.inbox().subscribe(&topic("1"), Since::Now, 0).unwrap();
        assert_eq!(begin.offset, 1, "before the turn");
        let all = deliveries(&mut following(&hub, &topic("1"), Since::After(begin)));
        let said = match &all[..] {
            [Delivery::Gap(..), one] => snapshot(record(one)).text,
            all => all.iter().filter_map(|one| delta(record(one))).collect(),
        };
        assert_eq!(said, text(0..numbers.end));
    }
    end(&hub, "");
    let begin = hub.inbox().subscribe(&topic("1"), Since::Now, 0).unwrap();
    assert_eq!(Some(begin), hub.top(&topic("1")));
}

#[tokio::test]
async fn a_cursor_that_is_too_old_gets_a_gap_and_the_whole_text() {
    for (offset, epoch, missed) in [(2, 0, Some(4)), (2, 1, None), (99, 0, None)] {
        let hub = spoken(OnSlow::Skip);
        publish(&hub, &topic("1"), "5").await;
        say(&hub, 9..10);
        let top = hub.top(&topic("1")).unwrap();
        let missed = missed.map(|missed| missed + 2);
        let at = Position { epoch: top.epoch + epoch, offset };
        let mut inbox = following(&hub, &topic("1"), Since::After(at));
        for _ in 0..2 {
            let all = deliveries(&mut inbox);
            let Delivery::Gap(gap, _) = &all[0] else { panic!("{all:?}") };
            assert_eq!(gap.missed, missed);
            // Of what is between, only the turn's own records are left out.
            assert_eq!(
                all[1..].iter().map(|one| record(one).at.offset).collect::<Vec<_>>(),
                [11, 12]
            );
            assert_eq!(snapshot(record(&all[2])).text, text(0..10));
            // Whoever leaves before the snapshot is given it again.
            inbox = following(&hub, &topic("1"), Since::After(gap.at));
            if missed.is_none() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_log_that_reaches_back_is_replayed_to_who_asks_for_its_start() {
    let hub = hub(holding(4, OnSlow::Skip));
    publish(&hub, &topic("1"), "5").await;
    start(&hub);
    say(&hub, 0..2);
    assert_eq!(drain(&mut following(&hub, &topic("1"), Since::Start)), ["1", "2", "3", "4"]);
    say(&hub, 2..6);
    let all = deliveries(&mut following(&hub, &topic("1"), Since::Start));
    assert_eq!((all.len(), snapshot(record(&all[0])).text), (1, text(0..6)));
}

#[tokio::test]
async fn a_reader_that_fell_behind_gets_the_text_without_a_hole() {
    let hub = spoken(OnSlow::Skip);
    let mut inbox = following(&hub, &topic("1"), Since::Now);
    drain(&mut inbox);
    say(&hub, 9..20);
    let all = deliveries(&mut inbox);
    let Delivery::Gap(gap, _) = &all[0] else { panic!("{all:?}") };
    assert_eq!((gap.missed, gap.at.offset, all.len()), (Some(7), 10, 2));
    assert_eq!(snapshot(record(&all[1])).text, text(0..20));
    // Where the log merges, and has the merged text, that is all that is missing.
    let hub = spoken(OnSlow::Coalesce);
    let mut inbox = following(&hub, &topic("1"), Since::Now);
    drain(&mut inbox);
    say(&hub, 9..20);
    let all = deliveries(&mut inbox);
    let Some(TurnEvent::Delta(delta)) = TurnEvent::of(record(&all[0])) else { panic!("{all:?}") };
    assert_eq!((all.len(), delta.start, delta.text), (1, 18, text(9..20)));
}

#[tokio::test]
async fn a_text_larger_than_what_is_left_for_slow_readers_is_whole() {
    let hub = hub(Policy { bytes: 2000, ..holding(4, OnSlow::Coalesce) });
    start(&hub);
    say(&hub, 0..9);
    let mut inbox = following(&hub, &topic("1"), Since::Now);
    drain(&mut inbox);
    say(&hub, 9..2000);
    let all = deliveries(&mut inbox);
    assert!(matches!(all[0], Delivery::Gap(..)), "{:?}", all[0]);
    assert_eq!((all.len(), snapshot(record(&all[1])).text), (2, text(0..2000)));
}

#[tokio::test]
async fn parts_keep_their_order_and_texts_that_follow_on_each_other_are_one() {
    let hub = hub(holding(4, OnSlow::Skip));
    start(&hub);
    let turn = TURN;
    let other = |kind: &'static str, payload: serde_json::Value| {
        let draft = Draft::new(topic("1"), kind, payload.to_string());
        futures_util::FutureExt::now_or_never(hub.publish(draft)).unwrap().unwrap();
    };
    let thought =
        |start, text| other("turn.reasoning", json!({"turn": turn, "start": start, "text": text}));
    thought(0, "hm");
    thought(2, "m");
    let tool = json!({"turn": turn, "call": "c", "name": "search", "input": {"n": 1}, "text": ""});
    other("turn.tool", tool.clone());
    say(&hub, 0..3);
    // Of another turn, and of none.
    other("turn.cancelled", json!({"turn": Uuid::nil(), "text": ""}));
    other("turn.status", json!({"turn": Uuid::nil(), "text": "no"}));
    other("turn.delta", json!("no"));
    put(&hub, &TurnEvent::Status(Status { turn, text: "searching".to_owned() }));
    say(&hub, 3..4);
    // What was said from the sixth character on is taken back.
    put(&hub, &TurnEvent::Delta(Delta { turn, start: 5, text: "!".to_owned() }));
    let all = deliveries(&mut following(&hub, &topic("1"), Since::Now));
    let made = snapshot(record(&all[0]));
    let parts: Vec<(String, serde_json::Value)> = made
        .parts
        .iter()
        .map(|part| (part.kind.clone(), serde_json::from_str(part.payload.get()).unwrap()))
        .collect();
    let expected = [
        ("turn.reasoning", json!({"turn": turn, "start": 0, "text": "hmm"})),
        ("turn.tool", tool),
        ("turn.delta", json!({"turn": turn, "start": 0, "text": "aäbäc"})),
        ("turn.status", json!({"turn": turn, "text": "searching"})),
        ("turn.delta", json!({"turn": turn, "start": 5, "text": "!"})),
    ];
    assert_eq!(parts, expected.map(|(kind, payload)| (kind.to_owned(), payload)));
    assert_eq!(made.text, "aäbäc!");
}

#[tokio::test]
async fn a_thousand_joiners_share_one_snapshot_until_the_text_grows() {
    let hub = spoken(OnSlow::Skip);
    let mut inboxes: Vec<_> = (0..1000).map(|_| following(&hub, &topic("1"), Since::Now)).collect();
    let made: Vec<_> = inboxes
        .iter_mut()
        .flat_map(deliveries)
        .map(|delivery| std::sync::Arc::clone(record(&delivery)))
        .collect();
    assert_eq!(made.len(), 1000);
    assert!(made.iter().all(|one| std::sync::Arc::ptr_eq(one, &made[0])));
    say(&hub, 9..10);
    let mut late = following(&hub, &topic("1"), Since::Now);
    assert_eq!(snapshot(record(&deliveries(&mut late)[0])).text, text(0..10));
}

#[tokio::test]
async fn the_newest_record_stays_whatever_the_bounds_and_ends_the_document() {
    for policy in [Policy { bytes: 500, ..holding(9, OnSlow::Skip) }, holding(1, OnSlow::Skip)] {
        let hub = hub(policy);
        let begin = start(&hub);
        let mut reader = following(&hub, &topic("1"), Since::After(begin));
        say(&hub, 0..9);
        let whole = "x".repeat(100_000);
        let last = end(&hub, &whole);
        assert_eq!(deliveries(&mut following(&hub, &topic("1"), Since::Now)).len(), 0);
        for inbox in [&mut reader, &mut following(&hub, &topic("1"), Since::After(begin))] {
            let all = deliveries(inbox);
            assert!(matches!(all[0], Delivery::Gap(..)), "{:?}", all[0]);
            let record = record(&all[1]);
            assert_eq!((all.len(), record.at), (2, last));
            assert_eq!(TurnKind::of(record), Some(TurnKind::Completed));
        }
    }
}

#[tokio::test]
async fn history_has_the_text_of_a_turn_that_began_before_it() {
    let hub = spoken(OnSlow::Skip);
    publish(&hub, &topic("1"), "5").await;
    let kinds = |since, limit| {
        let history = hub.history(&topic("1"), since, limit).unwrap();
        let kinds = history.records.iter().map(|record| record.kind.to_string());
        (kinds.collect::<Vec<_>>().join(" "), history.records)
    };
    let (all, records) = kinds(Since::Now, 3);
    assert_eq!(all, "turn.delta turn.delta turn.snapshot n");
    assert_eq!((&snapshot(&records[2]).text, records[2].at), (&text(0..9), records[1].at));
    assert_eq!(kinds(Since::Now, 1).0, "n");
    assert_eq!(kinds(Since::Start, 2).0, "turn.delta turn.delta");
    end(&hub, "");
    assert_eq!(kinds(Since::Now, 4).0, "turn.delta turn.delta n turn.completed");
}

#[tokio::test(start_paused = true)]
async fn a_log_with_a_turn_that_runs_does_not_expire() {
    let hub = hub(Policy { keep: Duration::ZERO, ..holding(4, OnSlow::Skip) });
    start(&hub);
    say(&hub, 0..9);
    tokio::time::sleep(Duration::from_mins(10)).await;
    let all = deliveries(&mut following(&hub, &topic("1"), Since::Now));
    assert_eq!(snapshot(record(&all[0])).text, text(0..9));
    end(&hub, "");
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(hub.top(&topic("1")), None);
}

#[tokio::test]
async fn a_reader_that_knows_all_but_the_turn_gets_that_and_what_it_has_not() {
    let hub = spoken(OnSlow::Skip);
    let at = hub.top(&topic("1")).unwrap();
    publish(&hub, &topic("1"), "5").await;
    let mut inbox = following(&hub, &topic("1"), Since::Fresh(at));
    let all = deliveries(&mut inbox);
    assert_eq!(all.iter().map(|one| record(one).at.offset).collect::<Vec<_>>(), [10, 11]);
    assert_eq!(snapshot(record(&all[0])).text, text(0..9));
}

/// The topic of other tests is one with a document; this has none.
#[tokio::test]
async fn a_turn_without_its_first_record_has_no_snapshot() {
    let hub = hub(holding(4, OnSlow::Skip));
    say(&hub, 3..5);
    let mut inbox = following(&hub, &topic("1"), Since::Now);
    assert_eq!(drain(&mut inbox), Vec::<String>::new());
    let other: Topic = "room:2".parse().unwrap();
    assert_eq!(drain(&mut following(&hub, &other, Since::Now)), Vec::<String>::new());
}

#[tokio::test]
async fn thoughts_between_all_words_are_kept_in_few_parts() {
    let hub = hub(holding(4, OnSlow::Skip));
    start(&hub);
    for n in 0..6000 {
        put(&hub, &TurnEvent::Reasoning(Delta { turn: TURN, start: n, text: "h".to_owned() }));
        say(&hub, n..n + 1);
    }
    let all = deliveries(&mut following(&hub, &topic("1"), Since::Now));
    let whole = snapshot(record(&all[0]));
    assert_eq!(whole.text, text(0..6000));
    assert_eq!(whole.parts.len(), 4096);
    let thoughts = whole.parts.iter().filter(|part| part.kind == "turn.reasoning");
    let thoughts = thoughts.map(|part| {
        let delta: Delta = serde_json::from_str(part.payload.get()).unwrap();
        delta.text
    });
    assert_eq!(thoughts.collect::<String>(), "h".repeat(6000));
}

#[tokio::test]
async fn history_has_the_snapshot_for_a_reader_that_lacks_the_beginning_alone() {
    let hub = spoken(OnSlow::Skip);
    let kinds = |since: Since| {
        let history = hub.history(&topic("1"), since, 2).unwrap();
        history.records.iter().map(|record| record.kind.to_string()).collect::<Vec<_>>()
    };
    let (delta, snapshot) = (TurnKind::Delta.as_str(), TurnKind::Snapshot.as_str());
    assert_eq!(kinds(Since::Now), [delta, delta, snapshot]);
    let Position { epoch, offset } = hub.top(&topic("1")).unwrap();
    assert_eq!(kinds(Since::After(Position { epoch, offset: offset - 1 })), [delta]);
}
