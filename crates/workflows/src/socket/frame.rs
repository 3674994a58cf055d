//! Records as frames. A record of a run is its own frame; any other has an envelope around its
//! payload, which stays byte for byte the same.
use std::sync::OnceLock;

use quadrille_core::{Event, Text, Wire, WireSlot};
use serde_json::Value;

/// Frames without and with their position, each encoded on first use.
#[derive(Debug)]
enum ChatWire {}

impl Wire for ChatWire {
    type Frame = [OnceLock<Text>; 2];
    const SLOT: WireSlot = WireSlot::Workflows;

    fn encode(_: &Event) -> Self::Frame {
        Default::default()
    }

    /// Counts the slots; each frame is counted when it is encoded.
    fn held(_: &Self::Frame, _: &Text) -> usize {
        size_of::<Self::Frame>()
    }
}

/// Frame of a record, shared by all connections with the same option.
pub(super) fn frame(record: &Event, position: bool) -> &str {
    if !position && is_frame(record) {
        return &record.payload;
    }
    let [plain, positioned] = record.frame::<ChatWire>();
    let frame = if position { positioned } else { plain };
    frame.get_or_init(|| {
        let text = encode(record, position);
        record.grew(text.len());
        text
    })
}

/// Whether the payload of a record is a frame of this protocol.
pub(super) fn is_frame(record: &Event) -> bool {
    let kind = &*record.kind;
    let ours =
        kind.starts_with("workflow_") || matches!(kind, "progress" | "step_result" | "error");
    // Other protocols may publish something else under such a name.
    ours && members(&record.payload).is_some()
}

fn encode(record: &Event, position: bool) -> Text {
    #[cfg(test)]
    tests::ENCODED.set(tests::ENCODED.get() + 1);
    let own = is_frame(record).then(|| members(&record.payload)).flatten();
    let mut text = match own {
        Some(members) => format!("{{{members}"),
        None => format!(
            r#"{{"type":{},"chat_id":{},"data":{}"#,
            quoted(&record.kind),
            quoted(record.topic.name()),
            &*record.payload
        ),
    };
    if position {
        let comma = if text.len() > 1 { "," } else { "" };
        let at = record.at.to_string();
        text.extend([comma, r#""position":""#, &at, "\""]);
    }
    text.push('}');
    text.into()
}

/// The text between the braces of an object.
fn members(payload: &str) -> Option<&str> {
    payload.trim().strip_prefix('{')?.strip_suffix('}').map(str::trim)
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use quadrille_core::{Draft, Position, Topic};

    use super::*;

    thread_local! {
        pub(super) static ENCODED: Cell<usize> = const { Cell::new(0) };
    }

    fn record(kind: &'static str, payload: &str) -> Event {
        let topic = Topic::new("chat", "a\"b").unwrap();
        Event::new(Draft::new(topic, kind, payload), Position { epoch: 10, offset: 3 })
    }

    #[test]
    fn what_others_publish_stays_byte_for_byte_as_it_was() {
        let payload = r#"{"n":12345678901234567890123, "f":1.50,"e":1E400,"u":"\u00e9\/", "n":2}"#;
        let shown = record("message", payload);
        let plain = format!(r#"{{"type":"message","chat_id":"a\"b","data":{payload}}}"#);
        assert_eq!(frame(&shown, false), plain);
        let positioned =
            format!(r#"{{"type":"message","chat_id":"a\"b","data":{payload},"position":"a-3"}}"#);
        assert_eq!(frame(&shown, true), positioned);
    }

    #[test]
    fn a_frame_of_a_run_is_its_payload_and_gets_its_position_at_the_end() {
        let payload = r#"{"type":"progress","progress":1.0}"#;
        let shown = record("progress", payload);
        assert_eq!(frame(&shown, false), payload);
        assert_eq!(frame(&shown, true), r#"{"type":"progress","progress":1.0,"position":"a-3"}"#);
        assert_eq!(frame(&record("workflow_x", " { } "), true), r#"{"position":"a-3"}"#);
    }

    #[test]
    fn what_is_called_as_a_frame_and_is_none_is_shown_as_what_others_publish() {
        for payload in ["5", "[1]", "\"}\"", "null"] {
            let shown = record("progress", payload);
            let positioned = format!(
                r#"{{"type":"progress","chat_id":"a\"b","data":{payload},"position":"a-3"}}"#
            );
            assert_eq!(frame(&shown, true), positioned);
            serde_json::from_str::<Value>(frame(&shown, false)).unwrap();
        }
    }

    #[test]
    fn a_record_is_encoded_once_however_many_read_it() {
        let shown = record("message", "1.50");
        let before = ENCODED.get();
        let readers: Vec<_> = (0..9).map(|_| frame(&shown, false).as_ptr()).collect();
        assert!(readers.iter().all(|reader| *reader == readers[0]));
        assert_eq!(ENCODED.get() - before, 1);
        for _ in 0..9 {
            frame(&shown, true);
        }
        assert_eq!(ENCODED.get() - before, 2);
    }
}
