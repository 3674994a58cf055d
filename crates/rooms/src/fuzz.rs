//! What no body of a client may do: a target of `cargo xtask fuzz`; the test replays its seeds.
use serde_json::Value;

use crate::{
    engineio::packet::{self as engine, Packets, Payload},
    socketio::packet::{Event, Kind, Packet, ack, event},
};

/// The packets of a body are those between its separators, and each is refused or read within its
/// bounds; what is read of an event reads the same when it is written again.
pub fn packets(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(all) = engine::Packet::all(text) else { return };
    let mut again = Payload::default();
    text.split('\u{1e}').for_each(|packet| again.packet(packet));
    assert_eq!(again.take(), text);
    assert_eq!(all.len(), text.split('\u{1e}').count());
    for packet in all {
        if let engine::Packet::Message(message) = packet {
            socketio(message);
        }
    }
}

fn socketio(message: &str) {
    let Ok(packet) = Packet::parse(message) else { return };
    assert!(packet.attachments <= 16 && packet.namespace.starts_with('/'));
    assert!(message.ends_with(packet.data), "the data is the end of a packet");
    if let Some(id) = packet.id {
        let answer = ack(id, "");
        let read = Packet::parse(answer.strip_prefix('4').expect("it is a message"));
        let read = read.expect("an answer can be read");
        assert_eq!((read.kind, read.id, read.data), (Kind::Ack, Some(id), "[]"));
    }
    let Ok(Event { name, arguments }) = Event::parse(packet.data) else { return };
    assert!(name.len() <= 255 && arguments.len() <= 16);
    let first = arguments.first().map_or("null", |it| it.get());
    let written = event(&name, first);
    let written: Value = serde_json::from_str(written.strip_prefix("42").expect("an event"))
        .expect("what was JSON is JSON");
    assert_eq!((written[0].as_str(), written.as_array().map(Vec::len)), (Some(&*name), Some(2)));
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_body_that_is_like_the_seeds_breaks_the_reader() {
        replay::replay("packets", packets);
    }
}
