//! Properties that hold for every frame: a target of `cargo xtask fuzz`; the test replays its
//! seeds.
use quadrille_core::{Draft, Event, MESSAGE, Position, Topic, json::DEPTH};
use serde_json::{Value, value::RawValue};

use crate::{
    command::{ClientCommand, HISTORY_MAX, Verb},
    error::Error,
    frame::{Frame, PublishFrame},
    wire::{self, FRAME, Plain, Positioned},
};

/// Checks that a frame is refused, or is a command within its bounds, or is a publication that
/// reads the same when a client sends back what it received.
pub fn frames(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let value = serde_json::from_str::<Value>(text);
    match Frame::parse(text) {
        Err(err) => refused(&err, value.ok()),
        Ok(frame) => {
            let levels = value.as_ref().map_or(0, depth);
            assert!(
                levels <= DEPTH && value.map_or(true, |value| value.is_object()),
                "{levels} levels"
            );
            match frame {
                Frame::Command(form, members) => command(ClientCommand::read(form, &members)),
                Frame::Publication(publication) => published(text, &publication),
            }
        }
    }
}

fn refused(err: &Error, value: Option<Value>) {
    match err {
        Error::NotJson => assert!(value.is_none_or(|value| !value.is_object()), "it was JSON"),
        Error::NotAnObject => {
            assert!(value.is_none_or(|value| !value.is_object()), "it was an object");
        }
        Error::NoChannel => assert!(value.is_none_or(|value| value.get("channel").is_none())),
        Error::TooDeep => assert!(value.is_none(), "serde_json takes fewer levels"),
        _ => {}
    }
}

fn command(command: Result<ClientCommand<'_>, (Error, Option<std::borrow::Cow<'_, str>>)>) {
    let Ok(ClientCommand { form, verb }) = command else { return };
    if let Verb::History { limit, .. } = &verb {
        assert!((1..=HISTORY_MAX).contains(limit));
    }
    let channel = verb.channel().unwrap_or_default();
    let answer = wire::ack(form, channel, Some(Position { epoch: 1, offset: 2 }));
    let answer: Value = serde_json::from_str(&answer).expect("an answer is JSON");
    let inner = answer.get("payload").unwrap_or(&answer);
    // Its name differs outside of an envelope.
    assert_eq!(*inner.get("channel_name").unwrap_or(&inner["channel"]), channel);
}

fn published(text: &str, publication: &PublishFrame<'_>) {
    let Ok(topic) = Topic::from_channel(&publication.channel) else { return };
    let (kind, payload) = match publication.payload {
        Some(payload) => (MESSAGE, payload.get()),
        None => (FRAME, text),
    };
    let event =
        Event::new(Draft::new(topic.clone(), kind, payload), Position { epoch: 1, offset: 2 });
    let (plain, positioned) = (event.frame::<Plain>(), event.frame::<Positioned>());
    let Ok(Frame::Publication(again)) = Frame::parse(plain) else {
        panic!("{plain:?} is no publication")
    };
    assert_eq!(Topic::from_channel(&again.channel), Ok(topic));
    assert_eq!(again.payload.map(RawValue::get), publication.payload.map(RawValue::get));
    let value: Option<Value> = serde_json::from_str(positioned).ok();
    // Numbers may be too large for a `Value`, and are passed on as they are.
    let position = value.map(|value| value["position"].clone());
    assert!(position.is_none_or(|position| position == "1-2"), "{positioned:?}");
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(all) => 1 + all.iter().map(depth).max().unwrap_or_default(),
        Value::Object(all) => 1 + all.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_seed_means_another_thing_when_it_comes_back() {
        replay::replay("frames", frames);
    }
}
