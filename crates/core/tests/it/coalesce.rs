//! Readers that get the newest of each key, and the whole of each text.
use proptest::prelude::*;
use quadrille_core::{
    BatchLimit, Delivery, Draft, Hub, Inbox, OnSlow, Since, Text, Topic,
    turn::{CitedSource, Completed, Delta, Started, Tool, ToolState, TurnEvent},
};
use uuid::Uuid;

use crate::{drain, following, holding, hub, topic};

fn put(hub: &Hub, draft: Draft) {
    futures_util::FutureExt::now_or_never(hub.publish(draft)).unwrap().unwrap();
}

fn progress(topic: &Topic, step: &str, percent: u32) -> Draft {
    let key = Some(Text::from(step));
    Draft::new(topic.clone(), "progress", percent.to_string()).key(key)
}

fn payloads(inbox: &mut Inbox, records: usize) -> Vec<String> {
    let mut out = Vec::new();
    let waker = futures_util::task::noop_waker();
    let mut cx = std::task::Context::from_waker(&waker);
    while inbox.poll_recv(&mut cx, BatchLimit { records, bytes: usize::MAX }, &mut out).is_ready() {
    }
    let mut last = 0;
    let payload = |delivery| match delivery {
        Delivery::Record(record, _) => {
            assert!(record.at.offset > last, "offsets grow");
            last = record.at.offset;
            record.payload.to_string()
        }
        other => crate::told(&other),
    };
    out.into_iter().map(payload).collect()
}

#[tokio::test]
async fn a_reader_that_keeps_up_gets_every_record() {
    let (hub, topic) = (hub(holding(4, OnSlow::Coalesce)), topic("1"));
    let mut inbox = following(&hub, &topic, Since::Now);
    for percent in 0..9 {
        put(&hub, progress(&topic, "a", percent));
        assert_eq!(payloads(&mut inbox, 64), [percent.to_string()]);
    }
}

#[tokio::test]
async fn a_reader_behind_the_ring_gets_the_newest_of_each_key_in_order() {
    let (hub, topic) = (hub(holding(4, OnSlow::Coalesce)), topic("1"));
    let mut inbox = following(&hub, &topic, Since::Now);
    put(&hub, progress(&topic, "a", 1));
    put(&hub, progress(&topic, "b", 2));
    for percent in 3..20 {
        put(&hub, progress(&topic, "c", percent));
    }
    assert_eq!(payloads(&mut inbox, 64), ["1", "2", "19"]);
}

#[tokio::test]
async fn a_reader_more_than_a_quarter_log_behind_gets_the_newest_of_each_key() {
    let (hub, topic) = (hub(holding(100, OnSlow::Coalesce)), topic("1"));
    let mut inbox = following(&hub, &topic, Since::Now);
    for percent in 0..50 {
        put(&hub, progress(&topic, if percent % 2 == 0 { "even" } else { "odd" }, percent));
    }
    put(&hub, Draft::new(topic.clone(), "note", "\"no key\""));
    assert_eq!(payloads(&mut inbox, 16), ["48", "49", "\"no key\""]);
}

#[tokio::test]
async fn a_resume_from_before_the_ring_gets_what_survived() {
    let (hub, topic) = (hub(holding(2, OnSlow::Coalesce)), topic("1"));
    put(&hub, progress(&topic, "a", 1));
    let at = hub.top(&topic).unwrap();
    for percent in 2..9 {
        put(&hub, progress(&topic, "a", percent));
    }
    assert_eq!(payloads(&mut following(&hub, &topic, Since::After(at)), 64), ["8"]);
}

#[tokio::test]
async fn survivors_are_bounded_and_their_loss_is_told() {
    let (hub, topic) = (hub(holding(3, OnSlow::Coalesce)), topic("1"));
    let mut inbox = following(&hub, &topic, Since::Now);
    for n in 0..20 {
        put(&hub, progress(&topic, &format!("key {n}"), n));
    }
    // Three in the ring, three compacted.
    assert_eq!(drain(&mut inbox), ["-0", "15", "16", "17", "18", "19", "20"]);
}

/// The text and the number of deltas, as a client assembles them by their starts.
fn assembled(inbox: &mut Inbox, records: usize, mut text: String) -> (String, usize) {
    let mut out = Vec::new();
    let waker = futures_util::task::noop_waker();
    let mut cx = std::task::Context::from_waker(&waker);
    while inbox.poll_recv(&mut cx, BatchLimit { records, bytes: usize::MAX }, &mut out).is_ready() {
    }
    let mut deltas = 0;
    for delivery in out {
        let Delivery::Record(record, _) = delivery else { panic!("{delivery:?}") };
        if let Some(TurnEvent::Delta(delta)) = TurnEvent::of(&record) {
            assert_eq!(delta.start, text.chars().count() as u64, "no hole and no overlap");
            text += &delta.text;
            deltas += 1;
        }
    }
    (text, deltas)
}

proptest! {
    #[test]
    fn a_slow_reader_ends_with_the_same_text_as_everyone_else(
        parts in prop::collection::vec("[a-zäöü€😀 ]{0,6}", 1..200),
        ring in 6..30_usize,
        read_every in 1..40_usize,
        tool_every in 1..50_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (hub, topic) = (hub(holding(ring, OnSlow::Coalesce)), topic("1"));
            let mut slow = following(&hub, &topic, Since::Now);
            let turn = Uuid::now_v7();
            let say = |event: TurnEvent| put(&hub, event.draft(topic.clone()));
            let (agent, user, question) = ("echo".into(), "7".into(), "?".into());
            say(TurnEvent::Started(Started { turn, agent, user, question }));
            let (mut text, mut seen, mut start) = (String::new(), String::new(), 0);
            for (n, part) in parts.iter().enumerate() {
                say(TurnEvent::Delta(Delta { turn, start, text: part.clone() }));
                start += part.chars().count() as u64;
                text += part;
                if n % tool_every == 0 {
                    let (name, text) = ("t".into(), n.to_string());
                    say(TurnEvent::Tool(Tool { turn, name, text, ..Tool::default() }));
                }
                if n % read_every == 0 {
                    seen = assembled(&mut slow, 8, seen).0;
                }
            }
            let whole = Completed { turn, text: text.as_str().into(), ..Completed::default() };
            say(TurnEvent::Completed(whole));
            assert_eq!(assembled(&mut slow, 8, seen).0, text);
        });
    }
}

#[tokio::test]
async fn a_coalesced_backlog_comes_in_batches_and_then_what_came_since() {
    let (hub, topic) = (hub(holding(1000, OnSlow::Coalesce)), topic("1"));
    let mut inbox = following(&hub, &topic, Since::Now);
    for n in 0..900 {
        put(&hub, progress(&topic, &n.to_string(), n));
    }
    let mut got = Vec::new();
    let room = BatchLimit { records: 256, bytes: 64 << 10 };
    inbox.recv(room, &mut got).await;
    assert!(got.len() <= 256, "{} at once", got.len());
    let at = inbox.retag(&topic, 0).unwrap().offset;
    assert_eq!(at, got.len() as u64, "a place to resume from");
    put(&hub, progress(&topic, "0", 900));
    let rest = payloads(&mut inbox, 256);
    let expected = (got.len()..=900).map(|n| n.to_string());
    assert_eq!(rest, expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn consecutive_deltas_of_a_turn_merge_into_one() {
    let (hub, topic) = (hub(holding(4, OnSlow::Coalesce)), topic("1"));
    let mut slow = following(&hub, &topic, Since::Now);
    let turn = Uuid::now_v7();
    for n in 0..1000 {
        let delta = Delta { turn, start: n * 5, text: "word ".into() };
        put(&hub, TurnEvent::Delta(delta).draft(topic.clone()));
    }
    let (text, deltas) = assembled(&mut slow, 64, String::new());
    assert_eq!((text, deltas), ("word ".repeat(1000), 1));
}

#[tokio::test]
async fn a_slow_reader_gets_the_thoughts_merged_and_every_tool_and_source() {
    let (hub, topic) = (hub(holding(8, OnSlow::Coalesce)), topic("1"));
    let mut slow = following(&hub, &topic, Since::Now);
    let turn = Uuid::now_v7();
    let say = |event: TurnEvent| put(&hub, event.draft(topic.clone()));
    let (name, call) = ("t".to_owned(), "1".to_owned());
    let tool =
        |state| Tool { turn, call: call.clone(), name: name.clone(), state, ..Tool::default() };
    say(TurnEvent::Tool(tool(ToolState::Input)));
    say(TurnEvent::Tool(tool(ToolState::Output)));
    for url in ["https://a", "https://b"] {
        say(TurnEvent::Source(CitedSource { turn, url: url.into(), title: String::new() }));
    }
    for n in 0..100 {
        say(TurnEvent::Reasoning(Delta { turn, start: n * 4, text: "hm. ".into() }));
        say(TurnEvent::Delta(Delta { turn, start: n * 5, text: "word ".into() }));
    }
    let mut out = Vec::new();
    while let Some(room) = Some(BatchLimit { records: 64, bytes: usize::MAX })
        && futures_util::FutureExt::now_or_never(slow.recv(room, &mut out)).is_some()
    {}
    let records = out.iter().filter_map(|delivery| match delivery {
        Delivery::Record(record, _) => TurnEvent::of(record),
        other => panic!("{other:?}"),
    });
    let (mut thoughts, mut text, mut kinds) = (String::new(), String::new(), Vec::new());
    for record in records {
        match record {
            TurnEvent::Reasoning(delta) => {
                assert_eq!(delta.start, thoughts.len() as u64);
                thoughts += &delta.text;
            }
            TurnEvent::Delta(delta) => text += &delta.text,
            other => kinds.push(other.kind().as_str()),
        }
    }
    assert_eq!((thoughts, text), ("hm. ".repeat(100), "word ".repeat(100)));
    assert_eq!(kinds, ["turn.tool", "turn.tool", "turn.source", "turn.source"]);
}
