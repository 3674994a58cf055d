//! Packets of Engine.IO, protocol 4, and how they travel in the bodies of polling.
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;

use super::handler::PacketSink;
use crate::config::Config;

/// Between the packets of one body.
const SEPARATOR: char = '\u{1e}';

/// Answers a poll for which there is no packet.
pub(super) const NOOP: &str = "6";
pub(super) const PING: &str = "2";
pub(super) const CLOSE: &str = "1";

/// Probes a WebSocket before an upgrade, and answers the probe.
pub(super) const PROBE: &str = "2probe";
pub(super) const PROBED: &str = "3probe";
pub(super) const UPGRADE: &str = "5";

/// A packet from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnginePacket<'a> {
    /// A packet of Socket.IO.
    Message(&'a str),
    /// Bytes, which are dropped unread.
    Binary,
    Close,
    /// An answer to a ping, or a type that has no meaning from a client in an open session: a sign
    /// of life and nothing else.
    Keepalive,
    /// No type of the protocol.
    Unknown,
}

/// Packets that are to be sent, in one body.
#[derive(Debug, Default)]
pub struct Payload(String);

impl<'a> EnginePacket<'a> {
    /// Reads a text frame.
    pub fn of(text: &'a str) -> Self {
        let mut chars = text.chars();
        match chars.next() {
            Some('4') => Self::Message(chars.as_str()),
            Some('1') => Self::Close,
            Some('0' | '2' | '3' | '5' | '6') => Self::Keepalive,
            _ => Self::Unknown,
        }
    }

    /// Reads the packets of a body; fails if any of them is none.
    pub fn all(body: &'a str) -> Result<Vec<Self>, BadPayload> {
        body.split(SEPARATOR).map(Self::in_body).collect()
    }

    fn in_body(text: &'a str) -> Result<Self, BadPayload> {
        if let Some(encoded) = text.strip_prefix('b') {
            return STANDARD.decode(encoded).map(|_| Self::Binary).map_err(|_| BadPayload);
        }
        let known = text.starts_with(|c: char| ('1'..='6').contains(&c));
        if known { Ok(Self::of(text)) } else { Err(BadPayload) }
    }
}

/// The body is not a list of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a list of packets")]
pub struct BadPayload;

impl Payload {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.0)
    }

    /// The packets, one by one.
    pub fn packets(&self) -> impl Iterator<Item = &str> {
        self.0.split(SEPARATOR).filter(|packet| !packet.is_empty())
    }
}

impl PacketSink for Payload {
    fn packet(&mut self, packet: &str) {
        if !self.0.is_empty() {
            self.0.push(SEPARATOR);
        }
        self.0.push_str(packet);
    }
}

/// Writes the packet that opens a session.
pub(super) fn open(sid: &str, upgrades: &[&str], config: &Config) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct OpenFields<'a> {
        sid: &'a str,
        upgrades: &'a [&'a str],
        ping_interval: u128,
        ping_timeout: u128,
        max_payload: usize,
    }
    let open = OpenFields {
        sid,
        upgrades,
        ping_interval: config.ping_interval.as_millis(),
        ping_timeout: config.ping_timeout.as_millis(),
        max_payload: config.max_message_size,
    };
    format!("0{}", serde_json::to_string(&open).expect("texts and numbers are JSON"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_body_is_packets_between_separators() {
        let body = "40\u{1e}42[\"a\"]\u{1e}3\u{1e}bAQID\u{1e}1";
        let expected = [
            EnginePacket::Message("0"),
            EnginePacket::Message("2[\"a\"]"),
            EnginePacket::Keepalive,
            EnginePacket::Binary,
            EnginePacket::Close,
        ];
        assert_eq!(EnginePacket::all(body).as_deref(), Ok(&expected[..]));
    }

    #[test]
    fn a_body_with_something_else_in_it_is_none() {
        for body in ["", "x", "40\u{1e}", "\u{1e}40", "0{}", "7", "b***", "é"] {
            assert_eq!(EnginePacket::all(body), Err(BadPayload), "{body:?}");
        }
    }

    #[test]
    fn a_session_opens_with_what_a_client_must_know() {
        let config = Config {
            max_message_size: 1_000_000,
            connect_timeout: Duration::from_secs(45),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            write_timeout: Duration::from_secs(30),
            recovery: Duration::ZERO,
        };
        let packet = open("s", &["websocket"], &config);
        let expected = "0{\"sid\":\"s\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\
                        \"pingTimeout\":20000,\"maxPayload\":1000000}";
        assert_eq!(packet, expected);
    }

    proptest! {
        #[test]
        fn what_is_put_into_a_body_comes_out_of_it(
            texts in prop::collection::vec("4[^\u{1e}]{0,8}", 1..5)
        ) {
            let mut payload = Payload::default();
            for text in &texts {
                payload.packet(text);
            }
            prop_assert!(payload.packets().eq(texts.iter().map(String::as_str)));
            let body = payload.take();
            let found = EnginePacket::all(&body).unwrap();
            let expected: Vec<_> = texts.iter().map(|text| EnginePacket::of(text)).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_frame_of_no_known_type_is_no_packet() {
        for frame in ["", "7", "abc", "b", "é", "\u{1e}"] {
            assert_eq!(EnginePacket::of(frame), EnginePacket::Unknown, "{frame:?}");
        }
        for frame in ["0", "2probe", "3", "5", "6"] {
            assert_eq!(EnginePacket::of(frame), EnginePacket::Keepalive, "{frame:?}");
        }
    }
}
