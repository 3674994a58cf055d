//! Each record as clients of conversations, of named rooms, and of other topics get it.
use quadrille_core::{
    Draft, Position,
    turn::{
        Cancelled, Completed, Delta, Failed, RawJson, ReplyData, Started, Status, TokenUsage, Tool,
        TurnSnapshot,
    },
};
use serde_json::Value;
use uuid::Uuid;

use super::*;

const AT: Position = Position { epoch: 0xAB, offset: 7 };

fn event(topic: &str, kind: &'static str, payload: &str) -> Event {
    Event::new(Draft::new(topic.parse().unwrap(), kind, payload), AT)
}

/// The packet that shows `event`, if there is one.
fn only(event: &Event, position: bool, offset: bool) -> Option<&str> {
    let packets = packets(event, position, offset);
    assert!(packets.len() < 2, "{packets:?}");
    packets.first().map(|packet| &**packet)
}

/// The event that is sent, and its argument without what changes.
fn sent(packet: Option<&str>) -> Option<(String, Value)> {
    let (name, mut payload): (String, Value) =
        serde_json::from_str(packet?.strip_prefix("42").unwrap()).unwrap();
    let members = payload.as_object_mut().unwrap();
    for name in ["timestamp", "created_at"] {
        assert!(members.remove(name).is_none_or(|it| it.is_f64() || it.is_string()));
    }
    Some((name, payload))
}

fn turns(id: Uuid) -> [TurnEvent; 6] {
    let usage = Some(TokenUsage { input: 9, output: 2 });
    let (text, reason) = ("a so".into(), Some("stop".into()));
    [
        TurnEvent::Started(Started {
            turn: id,
            agent: "a".into(),
            user: "7".into(),
            question: "q".into(),
        }),
        TurnEvent::Status(Status { turn: id, text: "s".into() }),
        TurnEvent::Delta(Delta { turn: id, start: 2, text: " so".into() }),
        TurnEvent::Completed(Completed { turn: id, text, message: Some(9), reason, usage }),
        TurnEvent::Failed(Failed {
            text: "".into(),
            turn: id,
            code: "upstream".into(),
            title: "it failed".into(),
            usage,
            ..Failed::default()
        }),
        TurnEvent::Cancelled(Cancelled {
            turn: id,
            text: "a".into(),
            usage,
            ..Cancelled::default()
        }),
    ]
}

#[test]
fn a_turn_of_a_conversation_is_told_as_its_clients_know_it() {
    let id = Uuid::now_v7();
    let expected = [
        Some(("ai_thinking", json!({"conversation_id": 42, "turn": id}))),
        None,
        Some((
            "ai_response_chunk",
            json!({"chunk": " so", "start": 2, "conversation_id": 42, "turn": id}),
        )),
        Some((
            "ai_response_complete",
            json!({"message_id": 9, "role": "assistant", "sender": "assistant",
                   "content": "a so", "conversation_id": 42, "turn": id}),
        )),
        Some((
            "ai_response_error",
            json!({"error": "Sorry, I encountered an error: it failed", "code": "upstream",
                   "message_id": null, "conversation_id": 42, "turn": id}),
        )),
        Some((
            "ai_response_complete",
            json!({"message_id": null, "role": "assistant", "sender": "assistant",
                   "content": "a", "conversation_id": 42, "turn": id, "cancelled": true}),
        )),
    ];
    for (turn, expected) in turns(id).iter().zip(expected) {
        let event = Event::new(turn.draft("room:42".parse().unwrap()), AT);
        let expected = expected.map(|(name, payload)| (name.to_owned(), payload));
        assert_eq!(sent(only(&event, false, false)), expected);
    }
}

#[test]
fn a_turn_of_a_named_room_is_told_token_by_token() {
    let id = Uuid::now_v7();
    let expected = [
        None,
        None,
        Some(("llm_token", json!({"token": " so", "start": 2, "turn": id, "room": "den"}))),
        Some((
            "llm_complete",
            json!({"message": "Response complete", "text": "a so", "turn": id, "room": "den"}),
        )),
        Some((
            "error",
            json!({"message": "Sorry, I encountered an error: it failed", "code": "upstream",
                   "turn": id, "room": "den"}),
        )),
        Some((
            "llm_complete",
            json!({"message": "Response cancelled", "text": "a", "turn": id, "cancelled": true,
                   "room": "den"}),
        )),
    ];
    for (turn, expected) in turns(id).iter().zip(expected) {
        let event = Event::new(turn.draft("room:@den".parse().unwrap()), AT);
        let expected = expected.map(|(name, payload)| (name.to_owned(), payload));
        assert_eq!(sent(only(&event, false, false)), expected);
    }
}

#[test]
fn what_is_beside_the_text_is_shown_to_who_watches_alone() {
    let id = Uuid::now_v7();
    let name = "n".to_owned();
    let records = [
        TurnEvent::Reasoning(Delta { turn: id, start: 0, text: "Hm.".into() }),
        TurnEvent::Tool(Tool { turn: id, text: "t".into(), ..Tool::default() }),
        TurnEvent::Data(ReplyData { turn: id, name, value: RawJson::of("1.50") }),
    ];
    for record in &records {
        for topic in ["room:42", "room:@den"] {
            let event = Event::new(record.draft(topic.parse().unwrap()), AT);
            assert!(packets(&event, false, false).is_empty());
        }
        assert_eq!(named_turn(record, None, 1), None);
        let event = Event::new(record.draft("user:7".parse().unwrap()), AT);
        let packet = only(&event, false, false).unwrap();
        assert!(packet.starts_with(&format!("42[\"{}\",", record.kind())), "{packet}");
        let payload = record.payload();
        assert!(packet.contains(payload.trim_end_matches('}')), "{packet}");
    }
}

#[test]
fn what_clients_of_rooms_publish_passes_as_it_is_and_its_position_is_added_for_who_asks() {
    let payload = r#"{"user":"ada","n":12345678901234567890,"x":1.50}"#;
    let event = event("room:@den", "new_message", payload);
    assert_eq!(only(&event, false, false), Some(&*format!("42[\"new_message\",{payload}]")));
    let positioned = payload.replace("1.50}", "1.50,\"position\":\"ab-7\"}");
    let expected = format!("42[\"new_message\",{positioned}]");
    assert_eq!(only(&event, true, false), Some(&*expected));
}

#[test]
fn an_offset_comes_last_and_is_a_text_whatever_comes_before() {
    let said = event("room:@a \"b\"", "new_message", "\"hello\"");
    let expected = r#"42["new_message","hello","ab-7 room:@a \"b\""]"#;
    assert_eq!(only(&said, false, true), Some(expected));
    let expected = r#"42["new_message",{"data":"hello","position":"ab-7"},"ab-7 room:@a \"b\""]"#;
    assert_eq!(only(&said, true, true), Some(expected));
    assert_eq!(only(&said, false, false), Some("42[\"new_message\",\"hello\"]"));
}

#[test]
fn records_of_other_topics_say_which_topic_it_is() {
    let one = event("chan:demo", "message", "\"hello\"");
    let expected = "42[\"message\",{\"data\":\"hello\",\"topic\":\"chan:demo\"}]";
    assert_eq!(only(&one, false, false), Some(expected));
    let two = event("user:7", "turn.delta", "{\"a\":1}");
    let expected = "42[\"turn.delta\",{\"a\":1,\"topic\":\"user:7\",\"position\":\"ab-7\"}]";
    assert_eq!(only(&two, true, false), Some(expected));
}

#[test]
fn a_gap_names_the_room_as_its_clients_do() {
    let gap = |topic: &str| {
        let gap = Gap { topic: topic.parse().unwrap(), missed: Some(3), at: AT };
        let text = super::gap(&gap);
        serde_json::from_str::<(String, Value)>(text.strip_prefix("42").unwrap()).unwrap().1
    };
    let base = |topic: &str| json!({"topic": topic, "missed": 3, "position": "ab-7"});
    let with = |topic: &str, name: &str, value: Value| {
        let mut all = base(topic);
        all[name] = value;
        all
    };
    assert_eq!(gap("room:42"), with("room:42", "conversation_id", 42.into()));
    assert_eq!(gap("room:@den"), with("room:@den", "room", "den".into()));
    assert_eq!(gap("chan:demo"), base("chan:demo"));
}

fn snapshot(topic: &str, text: &str) -> Event {
    let (turn, text, parts) = (Uuid::nil(), text.to_owned(), Vec::new());
    let [agent, user, question] = ["a", "7", "q"].map(Into::into);
    let snapshot = TurnSnapshot { turn, agent, user, question, text, parts };
    Event::new(TurnEvent::Snapshot(snapshot).draft(topic.parse().unwrap()), AT)
}

#[test]
fn a_client_that_comes_late_is_told_that_a_reply_runs_and_all_of_it_so_far() {
    let all = packets(&snapshot("room:42", "So far"), true, true).to_vec();
    let turn = r#""conversation_id":42,"turn":"00000000-0000-0000-0000-000000000000""#;
    let chunk = format!(r#"{{"chunk":"So far","start":0,{turn},"position":"ab-7"}}"#);
    let expected = [
        format!(r#"42["ai_thinking",{{{turn}}}]"#),
        format!(r#"42["ai_response_chunk",{chunk},"ab-7 room:42"]"#),
    ];
    assert_eq!(all.iter().map(|packet| &**packet).collect::<Vec<_>>(), expected);
    let thinking = format!(r#"42["ai_thinking",{{{turn},"position":"ab-7"}},"ab-7 room:42"]"#);
    assert_eq!(only(&snapshot("room:42", ""), true, true), Some(&*thinking));
    let token = sent(only(&snapshot("room:@den", "So far"), false, false)).unwrap();
    let payload = json!({"token": "So far", "start": 0, "turn": Uuid::nil(), "room": "den"});
    assert_eq!(token, ("llm_token".to_owned(), payload));
    assert_eq!(only(&snapshot("room:@den", ""), false, false), None);
    let shown = sent(only(&snapshot("user:7", "So far"), false, false)).unwrap();
    assert_eq!((&*shown.0, &shown.1["text"]), ("turn.snapshot", &json!("So far")));
}
