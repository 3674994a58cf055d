//! Records and their keys.
use std::collections::HashSet;

use super::*;
use crate::Position;

fn event(record: &TurnEvent) -> Event {
    let topic: Topic = "user:7".parse().unwrap();
    Event::new(record.draft(topic), Position { epoch: 1, offset: 1 })
}

fn tool(state: ToolState, call: &str) -> Tool {
    Tool { call: call.into(), name: "search".into(), state, ..Tool::default() }
}

#[test]
fn every_record_of_a_turn_survives_its_payload() {
    let (turn, text) = (Uuid::now_v7(), "grün".to_owned());
    let usage = Some(TokenUsage { input: 9, output: 2 });
    let (by, ask) = (Arc::from("7"), "a1".to_owned());
    let all = [
        TurnEvent::Started(Started {
            turn,
            agent: "echo".into(),
            user: "7".into(),
            question: text.as_str().into(),
        }),
        TurnEvent::Status(Status { turn, text: text.clone() }),
        TurnEvent::Tool(Tool {
            turn,
            text: text.clone(),
            input: RawJson::parse("{}"),
            output: RawJson::parse("null"),
            ..tool(ToolState::Error, "c1")
        }),
        TurnEvent::Delta(Delta { turn, start: 4, text: text.clone() }),
        TurnEvent::Reasoning(Delta { turn, start: 4, text: text.clone() }),
        TurnEvent::Source(CitedSource { turn, url: "https://a".into(), title: text.clone() }),
        TurnEvent::File(ReplyFile {
            turn,
            url: "https://a".into(),
            media_type: "image/*".into(),
            name: text.clone(),
        }),
        TurnEvent::Data(ReplyData { turn, name: text.clone(), value: RawJson::of("[1]") }),
        TurnEvent::Waiting(Pending {
            turn,
            ask: ask.clone(),
            what: PendingKind::Approval,
            call: Some("c1".into()),
            prompt: text.clone(),
        }),
        TurnEvent::Answered(Answered {
            turn,
            ask,
            by: Arc::clone(&by),
            value: RawJson::of("true"),
        }),
        TurnEvent::Steered(Steered { turn, by, text: text.as_str().into() }),
        TurnEvent::Completed(Completed {
            turn,
            text: text.as_str().into(),
            message: Some(7),
            reason: Some("stop".into()),
            usage,
        }),
        TurnEvent::Failed(Failed {
            turn,
            code: "timeout".into(),
            title: text.clone().into(),
            usage,
            ..Failed::default()
        }),
        TurnEvent::Cancelled(Cancelled {
            turn,
            text: text.as_str().into(),
            usage,
            ..Cancelled::default()
        }),
        TurnEvent::Snapshot(TurnSnapshot {
            turn,
            agent: "echo".into(),
            user: "7".into(),
            question: "?".into(),
            text,
            parts: vec![SnapshotPart {
                kind: "turn.status".to_owned(),
                payload: RawJson::of(r#"{"n":1.50}"#),
            }],
        }),
    ];
    for record in &all {
        let event = event(record);
        assert_eq!(TurnEvent::of(&event).as_ref(), Some(record));
        assert_eq!(of(&event), Some(turn));
    }
    assert_eq!(all.iter().filter(|record| record.is_last()).count(), 3);
    let kinds: HashSet<_> = all.iter().map(TurnEvent::kind).collect();
    assert_eq!(kinds.len(), TurnKind::ALL.len(), "a record of every kind");
}

#[test]
fn values_are_passed_on_as_they_were_written() {
    let numbers = r#"{"n": 12345678901234567890123, "price": 1.50}"#;
    let input = TurnEvent::Tool(Tool { input: RawJson::parse(numbers), ..Tool::default() });
    let payload = input.payload();
    assert!(payload.contains(numbers), "{payload}");
    let Some(TurnEvent::Tool(read)) = TurnEvent::of(&event(&input)) else { panic!("a tool") };
    assert_eq!(read.input.unwrap().get(), numbers);
    let data = ReplyData { turn: Uuid::nil(), name: "n".into(), value: RawJson::of(numbers) };
    assert!(TurnEvent::Data(data).payload().contains(numbers));
}

#[test]
fn a_record_without_details_has_the_members_that_it_always_had() {
    let turn = Uuid::nil();
    let completed =
        TurnEvent::Completed(Completed { turn, text: "a".into(), ..Completed::default() });
    assert_eq!(completed.payload(), format!(r#"{{"turn":"{turn}","text":"a"}}"#));
    let failed = TurnEvent::Failed(Failed {
        turn,
        code: "upstream".into(),
        title: "no".into(),
        ..Failed::default()
    });
    assert_eq!(failed.payload(), format!(r#"{{"turn":"{turn}","code":"upstream","title":"no"}}"#));
}

#[test]
fn a_key_supersedes_what_is_out_of_date_and_nothing_else() {
    let turn = Uuid::now_v7();
    let source = |url: &str| {
        TurnEvent::Source(CitedSource { turn, url: url.to_owned(), title: String::new() })
    };
    let data = |value: &str| {
        TurnEvent::Data(ReplyData { turn, name: "n".to_owned(), value: RawJson::of(value) })
    };
    let status = |text: &str| TurnEvent::Status(Status { turn, text: text.to_owned() });
    let call = |state, call| TurnEvent::Tool(tool(state, call));
    let all = [
        call(ToolState::Input, "1"),
        call(ToolState::Output, "1"),
        call(ToolState::Input, "2"),
        source("https://a"),
        source("https://b"),
        data("1"),
        data("2"),
        TurnEvent::Reasoning(Delta { turn, start: 0, text: String::new() }),
        TurnEvent::Delta(Delta { turn, start: 0, text: String::new() }),
        status("one"),
    ];
    let key = |record: &TurnEvent| event(record).key.clone().map(|key| key.to_string());
    let keys: HashSet<_> = all.iter().map(key).collect();
    assert_eq!(keys.len(), all.len());
    assert_eq!(key(&status("two")), key(&status("one")));
}
