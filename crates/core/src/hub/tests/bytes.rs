//! Bytes that the logs count against `limits.log_bytes`, and that they keep to it.
use std::time::Duration;

use futures_util::task::noop_waker;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    BatchLimit, Delivery, Event, Inbox, OnSlow, Text, Wire, WireSlot,
    turn::{Completed, Delta, Started, TurnEvent},
};

/// A frame that is three times as long as the payload.
#[derive(Debug)]
struct Triple;

impl Wire for Triple {
    type Frame = Text;
    const SLOT: WireSlot = WireSlot::Broker;

    fn encode(event: &Event) -> Text {
        event.payload.repeat(3).into()
    }

    fn held(frame: &Text, payload: &Text) -> usize {
        frame.held_beside(payload)
    }
}

/// A frame that is its payload.
#[derive(Debug)]
struct Same;

impl Wire for Same {
    type Frame = Text;
    const SLOT: WireSlot = WireSlot::BrokerWithPositions;

    fn encode(event: &Event) -> Text {
        event.payload.clone()
    }

    fn held(frame: &Text, payload: &Text) -> usize {
        frame.held_beside(payload)
    }
}

fn hub(policy: Policy, log_bytes: usize) -> Hub {
    let limits = Limits { log_bytes, ..Limits::default() };
    Hub::new(Policies::from(policy), &limits, &Life::new())
}

fn topic(n: usize) -> Topic {
    Topic::new("room", n).expect("a topic")
}

fn held(hub: &Hub) -> usize {
    hub.0.budget.held()
}

/// Takes up to `room` of the deliveries of `inbox`.
fn read(inbox: &mut Inbox, room: BatchLimit) -> Vec<Delivery> {
    let waker = noop_waker();
    let mut out = Vec::new();
    _ = inbox.poll_recv(&mut std::task::Context::from_waker(&waker), room, &mut out);
    out
}

#[derive(Clone, Debug)]
enum Step {
    Publish {
        topic: usize,
        size: usize,
        key: Option<u8>,
    },
    Start {
        topic: usize,
    },
    Delta {
        topic: usize,
        text: usize,
    },
    End {
        topic: usize,
    },
    /// Takes the place of a reader, without a cursor.
    Join {
        reader: usize,
    },
    Encode {
        topic: usize,
    },
    Read {
        reader: usize,
        records: usize,
    },
    Forget {
        topic: usize,
    },
    Relieve,
    Limit {
        bytes: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..3_usize, 1..3000_usize, proptest::option::of(0..60_u8))
            .prop_map(|(topic, size, key)| Step::Publish { topic, size, key }),
        2 => (0..3_usize).prop_map(|topic| Step::Start { topic }),
        6 => (0..3_usize, 1..200_usize).prop_map(|(topic, text)| Step::Delta { topic, text }),
        1 => (0..3_usize).prop_map(|topic| Step::End { topic }),
        2 => (0..3_usize).prop_map(|reader| Step::Join { reader }),
        3 => (0..3_usize).prop_map(|topic| Step::Encode { topic }),
        2 => (0..3_usize, 1..9_usize).prop_map(|(reader, records)| Step::Read { reader, records }),
        1 => (0..3_usize).prop_map(|topic| Step::Forget { topic }),
        1 => Just(Step::Relieve),
        1 => (4_000..80_000_usize).prop_map(|bytes| Step::Limit { bytes }),
    ]
}

/// Ends the turn that runs in a topic.
async fn end(hub: &Hub, n: usize) {
    let end = Completed::default();
    hub.publish(TurnEvent::Completed(end).draft(topic(n))).await.expect("room");
}

async fn run(on_slow: OnSlow, steps: Vec<Step>) {
    let policy =
        Policy { events: 6, bytes: 20_000, on_slow, patience: Duration::ZERO, ..Policy::default() };
    let hub = hub(policy, 50_000);
    let mut inboxes: Vec<_> = (0..3).map(|_| hub.inbox()).collect();
    for (n, inbox) in inboxes.iter_mut().enumerate() {
        inbox.subscribe(&topic(n), Since::Now, 0).expect("room");
    }
    let mut said = [0; 3];
    for step in steps {
        match step {
            Step::Publish { topic: n, size, key } => {
                let key = key.map(|key| Text::from(key.to_string()));
                let draft = Draft::new(topic(n), "n", "x".repeat(size)).key(key);
                let framed = size % 2 == 0;
                let frame: Text = "y".repeat(size / 2).into();
                let draft = if framed { draft.framed::<Same>(frame) } else { draft };
                hub.publish(draft).await.expect("room");
            }
            Step::Delta { topic: n, text } => {
                let (turn, text) = (Uuid::nil(), "z".repeat(text));
                let start = said[n];
                said[n] += text.len() as u64;
                let draft = TurnEvent::Delta(Delta { turn, start, text }).draft(topic(n));
                hub.publish(draft).await.expect("room");
            }
            Step::Start { topic: n } => {
                said[n] = 0;
                let (turn, text) = (Uuid::nil(), || "x".into());
                let started = Started { turn, agent: text(), user: text(), question: text() };
                hub.publish(TurnEvent::Started(started).draft(topic(n))).await.expect("room");
            }
            Step::End { topic: n } => end(&hub, n).await,
            Step::Join { reader } => {
                inboxes[reader].subscribe(&topic(reader), Since::Now, 0).expect("room");
            }
            Step::Encode { topic: n } => {
                let records =
                    hub.history(&topic(n), Since::Start, 9).map(|history| history.records);
                for record in records.unwrap_or_default() {
                    record.frame::<Triple>();
                    record.frame::<Same>();
                }
            }
            Step::Read { reader, records } => {
                read(&mut inboxes[reader], BatchLimit { records, bytes: usize::MAX });
            }
            Step::Forget { topic: n } => hub.delete(&topic(n)),
            Step::Relieve => hub.relieve(None),
            Step::Limit { bytes } => hub.reload(&Limits { log_bytes: bytes, ..Limits::default() }),
        }
        let counted = hub.0.budget.held();
        assert!(counted < 1 << 40, "more was given back than taken");
    }
    drop(inboxes);
    for n in 0..3 {
        end(&hub, n).await;
    }
    hub.drop_idle(|_| false);
    assert_eq!(held(&hub), 0, "something is counted that is not held");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_happens_all_is_given_back(steps in proptest::collection::vec(step(), 1..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        for on_slow in [OnSlow::Skip, OnSlow::Coalesce] {
            runtime.block_on(run(on_slow, steps.clone()));
        }
    }
}

#[tokio::test]
async fn the_newest_records_of_many_topics_in_use_do_not_exceed_the_limit() {
    let hub = hub(Policy { patience: Duration::ZERO, ..Policy::default() }, 1 << 20);
    let mut inbox = hub.inbox();
    for n in 0..100 {
        inbox.subscribe(&topic(n), Since::Now, 0).expect("room");
        hub.publish(Draft::new(topic(n), "n", "x".repeat(100_000))).await.expect("room");
        assert!(held(&hub) <= 1 << 20, "{} bytes after {n}", held(&hub));
        let newest = hub.history(&topic(n), Since::Now, 1).expect("a log").records;
        assert_eq!(newest.len(), 1, "what was just published is there");
    }
    // Nobody is left without a word: what is gone is a gap.
    let told = read(&mut inbox, BatchLimit { records: usize::MAX, bytes: usize::MAX });
    let gaps = told.iter().filter(|told| matches!(told, Delivery::Gap(..))).count();
    let records = told.iter().filter(|told| matches!(told, Delivery::Record(..))).count();
    assert_eq!((gaps + records, records > 0), (100, true));
}

#[tokio::test]
async fn frames_count_from_when_they_are_made() {
    let hub = hub(Policy::default(), 1 << 20);
    hub.publish(Draft::new(topic(1), "n", "x".repeat(1000))).await.expect("room");
    let before = held(&hub);
    let record = hub.history(&topic(1), Since::Start, 1).expect("a log").records.remove(0);
    record.frame::<Same>();
    let same = held(&hub) - before;
    assert!(same < 100, "{same}: the frame is the payload");
    record.frame::<Triple>();
    record.frame::<Triple>();
    let triple = held(&hub) - before - same;
    assert!((3000..3100).contains(&triple), "{triple}");
}

#[tokio::test]
async fn what_is_left_for_slow_readers_of_a_coalescing_log_counts() {
    let policy = Policy {
        events: 8,
        on_slow: OnSlow::Coalesce,
        patience: Duration::ZERO,
        ..Policy::default()
    };
    let hub = hub(policy, 1 << 20);
    for n in 0..16 {
        let key = Some(Text::from(n.to_string()));
        let draft = Draft::new(topic(1), "n", "x".repeat(10_000)).key(key);
        hub.publish(draft).await.expect("room");
    }
    assert!(held(&hub) > 160_000, "{}: eight in the ring, eight that survive", held(&hub));
}

#[tokio::test]
async fn readers_that_do_not_read_hold_a_quarter_of_the_limit_together() {
    let limit = 1 << 20;
    let policy = Policy {
        events: 64,
        bytes: 100_000,
        on_slow: OnSlow::Coalesce,
        patience: Duration::ZERO,
        ..Policy::default()
    };
    let hub = hub(policy, limit);
    let mut readers: Vec<_> = (0..50).map(|_| hub.inbox()).collect();
    for inbox in &mut readers {
        inbox.subscribe(&topic(1), Since::Now, 0).expect("room");
    }
    for round in 0..10 {
        for n in 0..64 {
            let key = Some(Text::from(format!("{round}-{n}")));
            let draft = Draft::new(topic(1), "n", "x".repeat(1000)).key(key);
            hub.publish(draft).await.expect("room");
        }
        for inbox in &mut readers {
            // One record, and the rest of the backlog stays with the reader.
            read(inbox, BatchLimit { records: 1, bytes: 1 });
        }
        assert!(held(&hub) <= limit / 4 + 300_000, "{} bytes", held(&hub));
    }
}

#[tokio::test]
async fn the_document_of_a_turn_counts_until_the_turn_ends_and_nothing_drops_it() {
    let hub = hub(Policy { events: 2, patience: Duration::ZERO, ..Policy::default() }, 1 << 20);
    let (turn, text) = (Uuid::nil(), || "x".into());
    let started = Started { turn, agent: text(), user: text(), question: text() };
    hub.publish(TurnEvent::Started(started).draft(topic(1))).await.expect("room");
    for n in 0..50 {
        let delta = Delta { turn, start: n * 10_000, text: "x".repeat(10_000) };
        hub.publish(TurnEvent::Delta(delta).draft(topic(1))).await.expect("room");
    }
    let counted = held(&hub);
    assert!((500_000..1_048_576).contains(&counted), "{counted}");
    // Other topics have no room for much, and the turn goes on.
    for n in 0..200 {
        let draft = Draft::new(topic(2 + n % 3), "n", "x".repeat(50_000));
        hub.publish(draft).await.expect("room");
    }
    hub.drop_idle(|_| false);
    let mut inbox = hub.inbox();
    inbox.subscribe(&topic(1), Since::Now, 0).expect("room");
    let all = read(&mut inbox, BatchLimit { records: 9, bytes: usize::MAX });
    let Some(Delivery::Record(record, _)) = all.first() else { panic!("{all:?}") };
    let Some(TurnEvent::Snapshot(snapshot)) = TurnEvent::of(record) else { panic!("{record:?}") };
    assert_eq!(snapshot.text.len(), 500_000);
    assert!(held(&hub) > 1_500_000, "{}: the snapshot counts, too", held(&hub));
    end(&hub, 1).await;
    drop((inbox, all));
    hub.drop_idle(|_| false);
    assert_eq!(held(&hub), 0);
}
