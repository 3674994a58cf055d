//! Turns in the order in which readers come, and within their bounds.
use quadrille_core::{BatchLimit, Delivery, Hub, Life, Limits, Policies, Topic, turn::*};
use serde_json::Value;

use super::*;

async fn publish(hub: &Hub, topic: &Topic, records: &[TurnEvent]) -> Vec<Record> {
    for record in records {
        hub.publish(record.draft(topic.clone())).await.unwrap();
    }
    hub.history(topic, Since::Start, usize::MAX).unwrap().records
}

fn payloads(frames: &[Text]) -> Vec<String> {
    let tell = |frame: &Text| {
        let frame: Value = serde_json::from_str(frame).unwrap();
        let payload = &frame["payload"];
        let [kind, status, message] = ["type", "status", "message"].map(|name| &payload[name]);
        format!("{kind} {status} {message} {}", payload["final_message"])
    };
    frames.iter().map(tell).map(|text| text.replace('"', "")).collect()
}

fn delta(turn: Uuid, start: u64, text: &str) -> TurnEvent {
    TurnEvent::Delta(Delta { turn, start, text: text.to_owned() })
}

#[tokio::test]
async fn each_frame_has_the_text_so_far_for_whoever_reads_it_when() {
    let hub = Hub::new(Policies::default(), &Limits::default(), &Life::new());
    let (topic, turn) = ("user:7".parse().unwrap(), Uuid::now_v7());
    let (name, text) = ("echo".to_owned(), String::new());
    let records = [
        TurnEvent::Tool(Tool { turn, name, text, ..Tool::default() }),
        delta(turn, 0, "Grü"),
        delta(turn, 3, "ß "),
        delta(turn, 5, "Gott"),
        TurnEvent::Completed(Completed {
            turn, text: "Grüß Gott".into(), ..Completed::default()
        }),
    ];
    let records = publish(&hub, &topic, &records).await;
    let expected = [
        "tool processing echo false",
        "status responding Assistant is responding... false",
        "response in_progress Grü false",
        "response in_progress Grüß  false",
        "response in_progress Grüß Gott false",
        "response completed Grüß Gott true",
    ];
    let texts = TurnTexts::new(hub.clone());
    let all = |texts: &TurnTexts| {
        let frames = records.iter().flat_map(|record| texts.frames(record, false)).flatten();
        payloads(&frames.collect::<Vec<_>>())
    };
    // In order; once more from the beginning; and by one who begins in the middle.
    assert_eq!(all(&texts), expected);
    assert_eq!(all(&texts), expected);
    let [_, middle] = TurnTexts::new(hub).frames(&records[3], true);
    let middle = middle.unwrap();
    assert_eq!(payloads(std::slice::from_ref(&middle)), expected[4..5]);
    assert!(middle.ends_with(&format!(r#","position":"{}"}}"#, records[3].at)), "{middle:?}");
}

#[tokio::test]
async fn a_tool_is_shown_once_and_what_is_beside_the_text_never() {
    let hub = Hub::new(Policies::default(), &Limits::default(), &Life::new());
    let (topic, turn): (Topic, _) = ("user:7".parse().unwrap(), Uuid::now_v7());
    let tool = |call: &str, state, text: &str| {
        let (call, name, text) = (call.to_owned(), "search".to_owned(), text.to_owned());
        TurnEvent::Tool(Tool { turn, call, name, state, text, ..Tool::default() })
    };
    let records = [
        TurnEvent::Reasoning(Delta { turn, start: 0, text: "Hm.".to_owned() }),
        tool("1", ToolState::Input, ""),
        tool("2", ToolState::Input, "{}"),
        tool("1", ToolState::Output, ""),
        tool("2", ToolState::Error, ""),
        tool("3", ToolState::Output, "warm"),
        delta(turn, 0, "a"),
        TurnEvent::Source(CitedSource { turn, url: "https://a".into(), title: String::new() }),
        TurnEvent::Steered(Steered { turn, by: "7".into(), text: "b".into() }),
        tool("3", ToolState::Output, ""),
    ];
    let records = publish(&hub, &topic, &records).await;
    let texts = TurnTexts::new(hub);
    let frames = records.iter().flat_map(|record| texts.frames(record, false)).flatten();
    let expected = [
        "tool processing search false",
        "tool processing {} false",
        "tool processing warm false",
        "status responding Assistant is responding... false",
        "response in_progress a false",
    ];
    assert_eq!(payloads(&frames.collect::<Vec<_>>()), expected);
    let history = payloads(&texts.history(&records));
    let [tools @ .., text] = &*history else { panic!("{history:?}") };
    assert_eq!((tools, &**text), (&expected.map(str::to_owned)[..3], expected[4]));
}

#[tokio::test]
async fn every_frame_of_the_newest_record_is_encoded_once() {
    let hub = Hub::new(Policies::default(), &Limits::default(), &Life::new());
    let topic = "user:7".parse().unwrap();
    let records = publish(&hub, &topic, &[delta(Uuid::now_v7(), 0, "a")]).await;
    let texts = TurnTexts::new(hub);
    let at = |frames: TurnFrames| frames.map(|frame| frame.expect("a notice and a text").as_ptr());
    for positioned in [false, true] {
        let frames = at(texts.frames(&records[0], positioned));
        assert_eq!(at(texts.frames(&records[0], positioned)), frames);
    }
}

#[tokio::test]
async fn a_merged_delta_has_the_notice_that_its_last_part_has_not() {
    let hub = Hub::new(Policies::default(), &Limits::default(), &Life::new());
    let (topic, turn): (Topic, _) = ("user:7".parse().unwrap(), Uuid::now_v7());
    let records = publish(&hub, &topic, &[delta(turn, 0, "a"), delta(turn, 1, "b")]).await;
    let merged = Record::new(Event::new(delta(turn, 0, "ab").draft(topic), records[1].at));
    let text = "response in_progress ab false";
    for order in [[&records[1], &merged], [&merged, &records[1]]] {
        let texts = TurnTexts::new(hub.clone());
        for record in order {
            let frames: Vec<_> = texts.frames(record, false).into_iter().flatten().collect();
            let notice = "status responding Assistant is responding... false";
            let expected = [notice, text];
            let expected = if Arc::ptr_eq(record, &merged) { &expected[..] } else { &[text] };
            assert_eq!(payloads(&frames), expected);
        }
    }
}

#[tokio::test]
async fn history_has_the_newest_of_a_turn_and_a_text_without_beginning_is_not_shown() {
    let policy = quadrille_core::Policy { events: 3, ..Default::default() };
    let hub = Hub::new(Policies::from(policy), &Limits::default(), &Life::new());
    let (topic, turn) = ("user:7".parse().unwrap(), Uuid::now_v7());
    let both = [delta(turn, 0, "a"), delta(turn, 1, "b")];
    let records = publish(&hub, &topic, &both).await;
    let texts = TurnTexts::new(hub.clone());
    assert_eq!(payloads(&texts.history(&records)), ["response in_progress ab false"]);
    let more = [delta(turn, 2, "c"), delta(turn, 3, "d"), delta(turn, 4, "e")];
    let records = publish(&hub, &topic, &more).await;
    assert_eq!(records.len(), 3);
    assert_eq!(payloads(&texts.history(&records)), ["response in_progress abcde false"]);
    assert_eq!(TurnTexts::new(hub).frames(&records[0], false), [None, None]);
}

#[tokio::test]
async fn frames_count_as_what_is_kept() {
    let hub = Hub::new(Policies::default(), &Limits::default(), &Life::new());
    let (topic, texts) = ("user:7".parse().unwrap(), TurnTexts::new(hub.clone()));
    for _ in 0..100 {
        let (turn, text) = (Uuid::now_v7(), "x".repeat(1 << 20).into());
        let whole = TurnEvent::Completed(Completed { turn, text, ..Completed::default() });
        let records = publish(&hub, &topic, &[whole]).await;
        texts.frames(records.last().unwrap(), false);
    }
    let cache = texts.cache();
    let newest = cache.turns.values().filter_map(|entry| entry.newest.as_ref());
    let frames = newest.flat_map(|newest| newest.frames.iter().flatten().flatten().flatten());
    let bytes: usize = frames.map(|frame| frame.len()).sum();
    assert!(bytes > BYTES / 2 && bytes <= BYTES, "{bytes}");
    assert_eq!(bytes, cache.bytes);
}

#[tokio::test]
async fn a_beginning_that_is_gone_is_looked_for_once_and_never_kept_beyond_the_bound() {
    let policy = quadrille_core::Policy { events: 3, ..Default::default() };
    let hub = Hub::new(Policies::from(policy), &Limits::default(), &Life::new());
    let (topic, texts) = ("user:7".parse().unwrap(), TurnTexts::new(hub.clone()));
    for _ in 0..2 * TURNS {
        let records = [delta(Uuid::now_v7(), 9, "middle")];
        let records = publish(&hub, &topic, &records).await;
        assert_eq!(texts.frames(records.last().unwrap(), false), [None, None]);
    }
    let cache = texts.cache();
    assert_eq!((cache.turns.len(), cache.order.len()), (TURNS, TURNS));
    assert!(cache.turns.values().all(|entry| entry.broken));
}

#[tokio::test]
async fn a_merged_delta_goes_on_beyond_what_is_known() {
    let policy = quadrille_core::Policy { events: 1, ..Default::default() };
    let hub = Hub::new(Policies::from(policy), &Limits::default(), &Life::new());
    let (topic, turn) = ("user:7".parse().unwrap(), Uuid::now_v7());
    let texts = TurnTexts::new(hub.clone());
    // Somebody keeps up at first; somebody else gets both deltas as one; then the log has more.
    for (of_turn, text) in [
        (delta(turn, 0, "Grü"), "Grü"),
        (delta(turn, 0, "Grüß "), "Grüß "),
        (delta(turn, 5, "Gott"), "Grüß Gott"),
        (delta(turn, 1, "r"), "Gr"),
    ] {
        let records = publish(&hub, &topic, &[of_turn]).await;
        let [_, frame] = texts.frames(&records[0], false);
        let told = payloads(&[frame.expect("a text whose beginning is known")]);
        assert_eq!(told, [format!("response in_progress {text} false")]);
    }
}

#[test]
fn what_is_kept_is_bounded() {
    let mut cache = Cache::default();
    for _ in 0..2 * TURNS {
        cache.entry(Uuid::now_v7());
        cache.evict();
    }
    assert_eq!((cache.turns.len(), cache.order.len()), (TURNS, TURNS));
}

fn started(turn: Uuid) -> TurnEvent {
    let [agent, user, question] = ["echo", "7", "Wie?"].map(Into::into);
    TurnEvent::Started(Started { turn, agent, user, question })
}

/// Joins `topic` without a cursor, and takes what is there.
fn joined(hub: &Hub, topic: &Topic) -> Vec<Record> {
    let mut inbox = hub.inbox();
    inbox.subscribe(topic, Since::Now, 0).unwrap();
    let (mut out, limit) = (Vec::new(), BatchLimit { records: 99, bytes: usize::MAX });
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    _ = inbox.poll_recv(&mut cx, limit, &mut out);
    let record = |delivery| match delivery {
        Delivery::Record(record, _) => record,
        other => panic!("{other:?}"),
    };
    out.into_iter().map(record).collect()
}

#[tokio::test]
async fn a_reader_that_comes_late_gets_all_of_the_text_and_so_does_whoever_asks_for_history() {
    let policy = quadrille_core::Policy { events: 3, ..Default::default() };
    let hub = Hub::new(Policies::from(policy), &Limits::default(), &Life::new());
    let (topic, turn): (Topic, _) = ("user:7".parse().unwrap(), Uuid::now_v7());
    publish(&hub, &topic, &[started(turn)]).await;
    let texts = TurnTexts::new(hub.clone());
    let frames = |record: &Record| {
        payloads(&texts.frames(record, false).into_iter().flatten().collect::<Vec<_>>())
    };
    let begun = "status started Assistant is processing your request... false";
    assert_eq!(frames(&joined(&hub, &topic)[0]), [begun]);
    let letters: Vec<_> = (0..9).map(|n| delta(turn, n, &n.to_string())).collect();
    publish(&hub, &topic, &letters).await;
    let [snapshot] = joined(&hub, &topic).try_into().unwrap();
    let notice = "status responding Assistant is responding... false";
    for _ in 0..2 {
        assert_eq!(frames(&snapshot), [notice, "response in_progress 012345678 false"]);
    }
    let [first, second] = [0, 1].map(|_| texts.frames(&snapshot, true));
    assert_eq!(first.map(|one| one.unwrap().as_ptr()), second.map(|one| one.unwrap().as_ptr()));
    // What follows goes on from there, for whoever got the snapshot and for whoever did not.
    let records = publish(&hub, &topic, &[delta(turn, 9, "!")]).await;
    let newest = &records[records.len() - 2];
    assert_eq!(frames(newest), ["response in_progress 012345678! false"]);
    let cold = TurnTexts::new(hub.clone());
    let [none, text] = cold.frames(newest, false);
    assert_eq!((none, payloads(&[text.unwrap()])), (None, frames(newest)));
    let history = TurnTexts::new(hub.clone()).history(&records);
    assert_eq!(payloads(&history), ["response in_progress 012345678! false"]);
    let status = TurnEvent::Status(Status { turn, text: "searching".to_owned() });
    let records = publish(&hub, &topic, &[status]).await;
    let expected = ["status processing searching false", "response in_progress 012345678! false"];
    assert_eq!(payloads(&TurnTexts::new(hub).history(&records)), expected);
}
