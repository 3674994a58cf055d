//! Reading of polled bodies: a target of `cargo xtask fuzz`; the test replays its seeds.
use crate::{
    engineio::{EnginePacket, PacketSink, Payload},
    packet::{EventData, Packet, PacketKind, ack, event},
};

/// Checks that the packets of a body are those between its separators, that each is refused or
/// within its bounds, and that an event reads the same once it is written again.
pub fn packets(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(all) = EnginePacket::all(text) else { return };
    let mut again = Payload::default();
    text.split('\u{1e}').for_each(|packet| again.packet(packet));
    assert_eq!(again.take(), text);
    assert_eq!(all.len(), text.split('\u{1e}').count());
    for packet in all {
        if let EnginePacket::Message(message) = packet {
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
        assert_eq!((read.kind, read.id, read.data), (PacketKind::Ack, Some(id), "[]"));
    }
    let Ok(EventData { name, arguments }) = EventData::parse(packet.data) else { return };
    assert!(name.len() <= 255 && arguments.len() <= 16);
    let first = arguments.first().map_or("null", |argument| argument.get());
    let written = event(&name, first);
    let written = EventData::parse(written.strip_prefix("42").expect("an event"));
    let written = written.expect("what was an event is one");
    assert_eq!((&written.name, written.arguments.len()), (&name, 1));
    assert_eq!(written.arguments.first().map(|argument| argument.get()), Some(first));
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
