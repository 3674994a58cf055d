//! A record as clients get it: as JSON, and as a server-sent event (WHATWG HTML, 9.2).
use std::fmt::Display;

use quadrille_core::{Event, Position, Text, Wire, WireSlot};
use quadrille_edge::sse;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::schema::At;

/// A record of a topic's log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Record)]
pub(crate) struct RecordView<'a> {
    topic: &'a str,
    /// Kind of the record, such as `message`.
    kind: &'a str,
    #[schema(value_type = At)]
    position: Position,
    /// Time of publication, in milliseconds since the Unix epoch.
    ts: u64,
    /// The JSON value that was published, unchanged.
    #[schema(value_type = serde_json::Value)]
    payload: &'a RawValue,
}

impl<'a> RecordView<'a> {
    pub(crate) fn of(event: &'a Event) -> Self {
        // A payload is one JSON value; this only checks that again, once for each record and wire.
        let payload = serde_json::from_str(&event.payload).unwrap_or(RawValue::NULL);
        let (topic, kind) = (event.topic.as_str(), &*event.kind);
        Self { topic, kind, position: event.at, ts: event.ts, payload }
    }
}

/// A record as a server-sent event without its id, which is that of the stream.
#[derive(Debug)]
pub(crate) struct Sse;

impl Wire for Sse {
    type Frame = String;
    const SLOT: WireSlot = WireSlot::ServerSentEvents;

    fn encode(event: &Event) -> String {
        let json = serde_json::to_string(&RecordView::of(event))
            .expect("texts, numbers and JSON are JSON");
        let mut text = String::with_capacity(json.len() + event.kind.len() + 20);
        sse::put(&mut text, &event.kind, &json);
        text
    }

    fn held(frame: &String, _: &Text) -> usize {
        frame.capacity()
    }
}

/// Appends `event` with the `id` to resume after it.
pub(crate) fn record(out: &mut String, id: impl Display, event: &Event) {
    sse::put_id(out, id);
    out.push_str(event.frame::<Sse>());
}

#[cfg(test)]
mod tests {
    use quadrille_core::{Draft, MESSAGE};

    use super::*;

    fn sent(kind: &'static str, payload: &str) -> String {
        let draft = Draft::new("chan:a".parse().unwrap(), kind, payload);
        let mut event = Event::new(draft, Position { epoch: 10, offset: 3 });
        event.ts = 7;
        let mut out = String::new();
        record(&mut out, event.at, &event);
        out
    }

    #[test]
    fn a_record_is_an_event_with_one_line_of_data() {
        let expected = "id: a-3\nevent: message\n\
                        data: {\"topic\":\"chan:a\",\"kind\":\"message\",\"position\":\"a-3\",\
                        \"ts\":7,\"payload\":{ \"n\" : 1.50 }}\n\n";
        assert_eq!(sent(MESSAGE, r#"{ "n" : 1.50 }"#), expected);
    }

    #[test]
    fn each_line_break_in_a_payload_begins_another_line_of_data() {
        let data = |payload| {
            let sent = sent(MESSAGE, payload);
            let lines: Vec<_> =
                sent.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
            assert_eq!(sent.matches('\n').count(), lines.len() + 3, "{sent:?}");
            lines.join("\n").split_once("\"payload\":").unwrap().1.to_owned()
        };
        let payloads = ["[\n1\r\n,\r2]", "[\n\r\n\n1]", "1\n", "[\"a\\nb\"]"];
        let expected = ["[\n1\n,\n2]}", "[\n\n\n1]}", "1}", "[\"a\\nb\"]}"];
        assert_eq!(payloads.map(data), expected);
    }

    #[test]
    fn a_kind_cannot_begin_another_field() {
        assert!(sent("a\r\nid: 1\0", "1").contains("event: a\u{fffd}\u{fffd}id: 1\u{fffd}\n"));
    }
}
