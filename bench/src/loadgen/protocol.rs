//! Which protocol the server is asked in: how a connection opens, what a publication and its
//! delivery look like.

use anyhow::{Result, bail};
use clap::ValueEnum;
use serde::Serialize;

use crate::message::{FIRST_NUMBER, Shape};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// Channels over a plain WebSocket.
    #[default]
    Broker,
    /// Rooms over Socket.IO 4, by its WebSocket transport alone.
    Socketio,
}

/// Reaction to a text frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Nothing,
    Say(String),
    /// The connection is as its owner wished it.
    Open,
    Refused,
}

/// The steps between the handshake and an open connection.
#[derive(Debug)]
pub(crate) struct Opening {
    protocol: Protocol,
    channel: Option<String>,
    /// The server has accepted the client, and may still have to accept its subscription.
    connected: bool,
}

/// Finds deliveries among the frames of one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finder {
    protocol: Protocol,
    shape: Shape,
    /// Where the mark of a Socket.IO delivery was last; servers write its fields as they like.
    mark_at: usize,
}

/// How every publication to a channel begins, and no other frame of the protocol.
const CHANNEL_START: &[u8] = br#"{"channel":"bench-"#;
const EVENT_START: &[u8] = br#"42["new_message","#;
/// Stands before the sequence number in the text of a message to a room.
const MARK: &str = "bench seq ";

/// Ping and pong of Engine.IO 4.
const PING: &str = "2";
const PONG: &str = "3";

// === impl Protocol ===

impl Protocol {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Broker => "/ws",
            Self::Socketio => "/socket.io/?EIO=4&transport=websocket",
        }
    }

    /// Answer to a text frame that is this protocol's own ping.
    pub(crate) fn pong(self, text: &[u8]) -> Option<&'static str> {
        (self == Self::Socketio && text == PING.as_bytes()).then_some(PONG)
    }

    /// Whether the server takes its leave with this text frame.
    pub(crate) fn is_farewell(self, text: &[u8]) -> bool {
        self == Self::Socketio && (text == b"1" || text == b"41")
    }

    /// A publication of exactly `size` bytes, whose two numbers are the first that there are.
    pub(crate) fn publication(self, channel: &str, size: usize) -> Result<(String, Shape)> {
        let (head, between, open, close) = match self {
            Self::Broker => (
                format!(r#"{{"channel":"{channel}","payload":{{"seq":"#),
                r#","at":"#,
                r#","pad":""#,
                r#""}}"#.to_owned(),
            ),
            Self::Socketio => (
                format!(r#"42["message",{{"message":"{MARK}"#),
                " sent ",
                " ",
                format!(r#"","room":"{channel}","user_name":"p"}}]"#),
            ),
        };
        let seq_at = head.len();
        let head = format!("{head}{FIRST_NUMBER}{between}{FIRST_NUMBER}{open}");
        let bare = head.len() + close.len();
        let Some(pad) = size.checked_sub(bare).filter(|_| size <= 32 * 1024) else {
            bail!("a message of {size} bytes cannot be made: choose {bare} to 32768");
        };
        Ok((format!("{head}{}{close}", "x".repeat(pad)), Shape { size, seq_at }))
    }
}

// === impl Opening ===

impl Opening {
    /// Without a `channel` the connection only publishes.
    pub(crate) fn new(protocol: Protocol, channel: Option<String>) -> Self {
        Self { protocol, channel, connected: false }
    }

    /// Returns the first step after the handshake.
    pub(crate) fn begin(&mut self) -> Answer {
        match self.protocol {
            Protocol::Broker => self.subscribe(),
            Protocol::Socketio => Answer::Nothing,
        }
    }

    /// Returns the reaction to a text frame, also after the last step.
    pub(crate) fn hear(&mut self, text: &str) -> Answer {
        if let Some(pong) = self.protocol.pong(text.as_bytes()) {
            return Answer::Say(pong.to_owned());
        }
        let farewell = self.protocol.is_farewell(text.as_bytes());
        match self.protocol {
            Protocol::Broker if text.contains(r#""subscribed""#) => Answer::Open,
            Protocol::Broker if text.contains(r#""error""#) => Answer::Refused,
            Protocol::Socketio if text.starts_with("0{") => Answer::Say("40".to_owned()),
            Protocol::Socketio if text.starts_with("40") && !self.connected => self.subscribe(),
            Protocol::Socketio if text.starts_with(r#"42["room_joined""#) => Answer::Open,
            Protocol::Socketio if text.starts_with("44") || farewell => Answer::Refused,
            Protocol::Broker | Protocol::Socketio => Answer::Nothing,
        }
    }

    fn subscribe(&mut self) -> Answer {
        self.connected = true;
        let Some(channel) = self.channel.take() else { return Answer::Open };
        Answer::Say(match self.protocol {
            Protocol::Broker => {
                let payload = format!(r#"{{"action":"subscribe","channel":"{channel}"}}"#);
                format!(r#"{{"channel":"subscription","payload":{payload}}}"#)
            }
            Protocol::Socketio => format!(r#"42["join_room",{{"room":"{channel}"}}]"#),
        })
    }
}

// === impl Finder ===

impl Finder {
    pub(crate) fn new(protocol: Protocol, shape: Shape) -> Self {
        Self { protocol, shape, mark_at: 0 }
    }

    /// Where the sequence number is, if this is the delivery of a publication.
    pub(crate) fn find(&mut self, text: &[u8]) -> Option<usize> {
        match self.protocol {
            Protocol::Broker => (text.len() == self.shape.size && text.starts_with(CHANNEL_START))
                .then_some(self.shape.seq_at),
            Protocol::Socketio if text.starts_with(EVENT_START) => {
                let mark = MARK.as_bytes();
                if !text.get(self.mark_at..).is_some_and(|rest| rest.starts_with(mark)) {
                    self.mark_at = text.windows(mark.len()).position(|window| window == mark)?;
                }
                Some(self.mark_at + mark.len())
            }
            Protocol::Socketio => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Names, number, sent_at};

    #[test]
    fn a_publication_is_json_of_the_wanted_size() {
        let channel = Names::new(1).channel(7);
        for protocol in [Protocol::Broker, Protocol::Socketio] {
            let (text, shape) = protocol.publication(&channel, 256).unwrap();
            let json = text.strip_prefix("42").unwrap_or(&text);
            serde_json::from_str::<serde_json::Value>(json).unwrap();
            assert_eq!(text.len(), 256);
            assert_eq!(number(text.as_bytes(), shape.seq_at), Some(FIRST_NUMBER));
            assert_eq!(sent_at(text.as_bytes(), shape.seq_at), Some(FIRST_NUMBER));
            assert!(protocol.publication(&channel, 20).is_err());
        }
    }

    #[test]
    fn a_reader_of_rooms_connects_joins_and_is_open() {
        let mut opening = Opening::new(Protocol::Socketio, Some("a".to_owned()));
        assert_eq!(opening.begin(), Answer::Nothing);
        let say = |text: &str| Answer::Say(text.to_owned());
        let heard = [
            (r#"0{"sid":"x","pingInterval":25000}"#, say("40")),
            ("2", say("3")),
            (r#"42["status",{"connected":true}]"#, Answer::Nothing),
            (r#"40{"sid":"y"}"#, say(r#"42["join_room",{"room":"a"}]"#)),
            (r#"42["room_joined",{"room":"a","user_count":1}]"#, Answer::Open),
            (r#"44{"message":"no"}"#, Answer::Refused),
            ("41", Answer::Refused),
        ];
        for (text, answer) in heard {
            assert_eq!(opening.hear(text), answer, "{text}");
        }
    }

    #[test]
    fn who_only_publishes_is_open_when_it_is_connected() {
        let mut broker = Opening::new(Protocol::Broker, None);
        assert_eq!(broker.begin(), Answer::Open);
        let mut rooms = Opening::new(Protocol::Socketio, None);
        assert_eq!((rooms.begin(), rooms.hear("40{}")), (Answer::Nothing, Answer::Open));
    }

    #[test]
    fn a_delivery_is_found_wherever_a_server_writes_its_text() {
        let (_, shape) = Protocol::Socketio.publication("bench-0", 256).unwrap();
        let mut finder = Finder::new(Protocol::Socketio, shape);
        let found = [
            r#"42["new_message",{"user":"p","message":"bench seq 1000000007 sent 1000000009 xx"}]"#,
            r#"42["new_message",{"message":"bench seq 1000000007 sent 1000000009 xx","user":"p"}]"#,
            r#"42["new_message", {"room": "bench-0", "message": "bench seq 1000000007 sent 1000000009"}]"#,
        ];
        for text in found {
            let at = finder.find(text.as_bytes()).unwrap();
            assert_eq!(number(text.as_bytes(), at), Some(FIRST_NUMBER + 7), "{text}");
            assert_eq!(sent_at(text.as_bytes(), at), Some(FIRST_NUMBER + 9), "{text}");
        }
        let other = r#"42["room_joined",{"room":"bench seq 1000000007"}]"#;
        assert_eq!(finder.find(other.as_bytes()), None);
        assert_eq!(finder.find(br#"42["new_message",{"user":"q","message":"hello"}]"#), None);
    }
}
