//! Frames that the server sends: records and answers.
use quadrille_core::{Event, Gap, MESSAGE, Position, Text, Wire, WireSlot};
use uuid::Uuid;

use crate::frame::{CommandForm, SUBSCRIPTION};

/// Kind of a record that was published without `payload`: its payload is the whole frame.
pub(crate) const FRAME: &str = "frame";

/// A record as a text frame.
#[derive(Debug)]
pub(crate) struct Plain;

/// A record as a text frame with its position.
#[derive(Debug)]
pub(crate) struct Positioned;

impl Wire for Plain {
    type Frame = Text;
    const SLOT: WireSlot = WireSlot::Broker;

    fn encode(event: &Event) -> Text {
        #[cfg(test)]
        tests::ENCODED.set(tests::ENCODED.get() + 1);
        let (topic, payload) = (&event.topic, &*event.payload);
        if event.kind == FRAME {
            return event.payload.clone();
        }
        let channel = quoted(topic.channel());
        if event.kind == MESSAGE {
            format!(r#"{{"channel":{channel},"payload":{payload}}}"#).into()
        } else {
            let kind = quoted(&event.kind);
            format!(r#"{{"channel":{channel},"kind":{kind},"payload":{payload}}}"#).into()
        }
    }

    fn held(frame: &Text, payload: &Text) -> usize {
        frame.held_beside(payload)
    }
}

impl Wire for Positioned {
    type Frame = Text;
    const SLOT: WireSlot = WireSlot::BrokerWithPositions;

    fn encode(event: &Event) -> Text {
        #[cfg(test)]
        tests::ENCODED.set(tests::ENCODED.get() + 1);
        with_position(event.frame::<Plain>(), event.at)
    }

    fn held(frame: &Text, payload: &Text) -> usize {
        frame.held_beside(payload)
    }
}

/// Adds the position to a frame, as the last member.
pub(crate) fn with_position(frame: &str, at: Position) -> Text {
    let frame = frame.trim_end();
    let open = frame.strip_suffix('}').unwrap_or(frame);
    format!(r#"{open},"position":"{at}"}}"#).into()
}

/// Converts milliseconds to seconds, as the protocol has times.
#[expect(clippy::cast_precision_loss, reason = "milliseconds fit in 52 bits for ages")]
pub(crate) fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

/// Encodes a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Encodes an answer in the form of its command. `members` is a JSON object without its braces.
pub(crate) fn answer(form: CommandForm, action: &str, members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    match form {
        CommandForm::Envelope => format!(
            r#"{{"channel":"{SUBSCRIPTION}","payload":{{"action":"{action}"{comma}{members}}}}}"#
        ),
        CommandForm::Action => format!(r#"{{"action":"{action}"{comma}{members}}}"#),
        CommandForm::Type => format!(r#"{{"type":"{action}","payload":{{{members}}}}}"#),
        CommandForm::Flat => format!(r#"{{"type":"{action}"{comma}{members}}}"#),
    }
}

/// Encodes the member of an answer that names its channel. Pages take every frame with their
/// channel at the top level for a record, so the forms without an envelope have another name for
/// it.
pub(crate) fn about(form: CommandForm, channel: &str) -> String {
    let name = match form {
        CommandForm::Envelope | CommandForm::Type => "channel",
        CommandForm::Action | CommandForm::Flat => "channel_name",
    };
    format!(r#""{name}":{}"#, quoted(channel))
}

/// Encodes the answer to `subscribe`, which begins `at` a position, or to `unsubscribe`, without
/// one.
pub(crate) fn ack(form: CommandForm, channel: &str, at: Option<Position>) -> String {
    let action = if at.is_some() { "subscribed" } else { "unsubscribed" };
    // The first revision of the protocol had the message.
    let message = match form {
        CommandForm::Type | CommandForm::Flat => format!(r#","message":"{action}""#),
        CommandForm::Envelope | CommandForm::Action => String::new(),
    };
    let position = at.map(|at| format!(r#","position":"{at}""#)).unwrap_or_default();
    answer(form, action, &format!("{}{message}{position}", about(form, channel)))
}

/// Encodes the end of a subscription whose channel was deleted.
pub(crate) fn deleted(channel: &str) -> String {
    let members = format!(r#""channel":{},"reason":"deleted""#, quoted(channel));
    answer(CommandForm::Envelope, "unsubscribed", &members)
}

/// Encodes the answer to `refresh`, with the seconds until the new token expires, if it does.
pub(crate) fn refreshed(form: CommandForm, expires: Option<u64>) -> String {
    let expires = expires.map(|seconds| format!(r#""expires":{seconds}"#)).unwrap_or_default();
    answer(form, "refreshed", &expires)
}

/// Encodes the members of an answer to `history`.
pub(crate) fn history(at: Option<Position>, gap: bool, records: &[Text]) -> String {
    let records: Vec<&str> = records.iter().map(|record| &**record).collect();
    let at = at.map_or_else(|| "null".to_owned(), |at| format!(r#""{at}""#));
    format!(r#""position":{at},"gap":{gap},"records":[{}]"#, records.join(","))
}

/// Encodes the answer to `cancel`. The last record of the turn says how it ended.
pub(crate) fn cancelling(form: CommandForm, channel: &str, turn: Uuid) -> String {
    answer(form, "cancelling", &format!(r#"{},"turn":"{turn}""#, about(form, channel)))
}

/// Encodes the notice about records that a subscriber will not get.
pub(crate) fn gap(gap: &Gap) -> String {
    let channel = quoted(gap.topic.channel());
    let missed = gap.missed.map_or_else(|| "null".to_owned(), |missed| missed.to_string());
    let members = format!(r#""channel":{channel},"missed":{missed},"position":"{}""#, gap.at);
    answer(CommandForm::Envelope, "gap", &members)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use quadrille_core::Draft;

    thread_local! {
        pub(super) static ENCODED: Cell<usize> = const { Cell::new(0) };
    }

    fn event(topic: &str, kind: &'static str, payload: &str) -> Event {
        let draft = Draft::new(topic.parse().unwrap(), kind, payload.to_owned());
        Event::new(draft, Position { epoch: 10, offset: 3 })
    }

    #[test]
    fn a_record_is_written_as_its_protocol_asks() {
        let cases = [
            (event("chan:a\"b", MESSAGE, "1.50"), r#"{"channel":"a\"b","payload":1.50}"#),
            (event("chan:chat:1", MESSAGE, "1"), r#"{"channel":"chan:chat:1","payload":1}"#),
            (
                event("room:42", "new_message", "{}"),
                r#"{"channel":"room:42","kind":"new_message","payload":{}}"#,
            ),
            (event("chan:a", FRAME, r#"{ "channel" : "a" }"#), r#"{ "channel" : "a" }"#),
        ];
        for (event, frame) in cases {
            assert_eq!(&**event.frame::<Plain>(), frame);
        }
    }

    #[test]
    fn a_position_is_the_last_member() {
        let event = event("chan:a", FRAME, "{ \"channel\" : \"a\" }\n");
        let frame = r#"{ "channel" : "a" ,"position":"a-3"}"#;
        assert_eq!(&**event.frame::<Positioned>(), frame);
    }

    #[test]
    fn a_record_is_encoded_once_in_each_format_for_any_number_of_readers() {
        let event = event("chan:a", MESSAGE, "1.50");
        let before = ENCODED.get();
        for _ in 0..9 {
            event.frame::<Positioned>();
            event.frame::<Plain>();
        }
        assert_eq!(ENCODED.get() - before, 2);
    }

    #[test]
    fn an_acknowledgement_has_the_form_of_its_command() {
        let at = Some(Position { epoch: 10, offset: 3 });
        let cases = [
            (
                CommandForm::Envelope,
                r#"{"channel":"subscription","payload":{"action":"subscribed","channel":"c","position":"a-3"}}"#,
            ),
            (CommandForm::Action, r#"{"action":"subscribed","channel_name":"c","position":"a-3"}"#),
            (
                CommandForm::Type,
                r#"{"type":"subscribed","payload":{"channel":"c","message":"subscribed","position":"a-3"}}"#,
            ),
            (
                CommandForm::Flat,
                r#"{"type":"subscribed","channel_name":"c","message":"subscribed","position":"a-3"}"#,
            ),
        ];
        for (form, frame) in cases {
            assert_eq!(ack(form, "c", at), frame);
        }
        let ended = r#"{"action":"unsubscribed","channel_name":"c"}"#;
        assert_eq!(ack(CommandForm::Action, "c", None), ended);
    }
}
