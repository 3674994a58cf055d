//! Packets as the protocol's own text writes them, and as nobody should.
use proptest::prelude::*;

use super::*;

type Parts<'a> = (PacketKind, &'a str, Option<u64>, u32, &'a str);

fn parts(text: &str) -> Result<Parts<'_>, BadPacket> {
    Packet::parse(text)
        .map(|packet| (packet.kind, packet.namespace, packet.id, packet.attachments, packet.data))
}

#[test]
fn each_type_of_packet_is_read() {
    let cases: [(&str, Parts<'_>); 10] = [
        ("0", (PacketKind::Connect, "/", None, 0, "")),
        ("0{\"token\":\"t\"}", (PacketKind::Connect, "/", None, 0, "{\"token\":\"t\"}")),
        ("0/admin,{\"a\":1}", (PacketKind::Connect, "/admin", None, 0, "{\"a\":1}")),
        ("0/admin?x=1,", (PacketKind::Connect, "/admin", None, 0, "")),
        ("1", (PacketKind::Disconnect, "/", None, 0, "")),
        ("1/admin,", (PacketKind::Disconnect, "/admin", None, 0, "")),
        ("2[\"a\",1]", (PacketKind::Event, "/", None, 0, "[\"a\",1]")),
        ("2/admin,456[\"a\"]", (PacketKind::Event, "/admin", Some(456), 0, "[\"a\"]")),
        ("313[]", (PacketKind::Ack, "/", Some(13), 0, "[]")),
        (
            "51-7[\"b\",{\"_placeholder\":true,\"num\":0}]",
            (PacketKind::Event, "/", Some(7), 1, "[\"b\",{\"_placeholder\":true,\"num\":0}]"),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(parts(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_packet_is_refused_with_its_reason() {
    let deep = format!("2[\"a\",{}{}]", "[".repeat(200), "]".repeat(200));
    let long = format!("0/{},", "n".repeat(300));
    let cases = [
        ("", BadPacket::Unknown),
        ("4{}", BadPacket::ServerOnly),
        ("7[]", BadPacket::Unknown),
        ("é", BadPacket::Unknown),
        ("5[\"a\"]", BadPacket::NoCount),
        ("5-[\"a\"]", BadPacket::NoCount),
        ("5+1-[\"a\"]", BadPacket::NoCount),
        ("5999999999-[\"a\"]", BadPacket::Attachments),
        ("599999999999999999999999-[\"a\"]", BadPacket::NoCount),
        ("299999999999999999999999[\"a\"]", BadPacket::Id),
        (deep.as_str(), BadPacket::Depth),
        (long.as_str(), BadPacket::Namespace),
    ];
    for (text, err) in cases {
        assert_eq!(parts(text), Err(err), "{text}");
    }
}

#[test]
fn an_event_is_a_list_that_begins_with_a_name() {
    let event = EventData::parse("[\"a\\u0062\", {\"x\": 1.50}, 2]").unwrap();
    let arguments: Vec<_> = event.arguments.iter().map(|argument| argument.get()).collect();
    assert_eq!((&*event.name, arguments), ("ab", vec!["{\"x\": 1.50}", "2"]));
    let bomb = format!("[\"{}\"]", "x".repeat(1 << 20));
    let many = format!("[\"a\"{}]", ",1".repeat(100));
    let is = |data: &str, err| {
        assert_eq!(EventData::parse(data).map(|event| event.name.into_owned()), Err(err), "{data}");
    };
    // What no client can mean ends the connection; what is of no use here does not.
    for data in ["", "[]", "{}", "[null]", "[\"a\"", "\"a\"", "abc[\"a\"]"] {
        is(data, BadPacket::Event);
    }
    is(&bomb, BadPacket::TooLarge);
    is(&many, BadPacket::TooLarge);
    is("[1]", BadPacket::Name);
    assert!(BadPacket::Event.is_malformed() && !BadPacket::TooLarge.is_malformed());
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[0-9]{0,3}(/[a-z,]{0,4})?[0-9-]{0,24}\\PC{0,16}") {
        if let Ok(packet) = Packet::parse(&text) {
            drop(EventData::parse(packet.data));
        }
    }
}
