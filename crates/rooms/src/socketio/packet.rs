//! Packets of Socket.IO, protocol 5: read from a client, written to it.
use std::{borrow::Cow, fmt};

use quadrille_core::json;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Attachments that one packet may announce.
const ATTACHMENTS: u32 = 16;

/// Bytes of a namespace, and of an event's name.
const NAME: usize = 255;

/// Arguments of one event.
const ARGUMENTS: usize = 16;

/// A packet from a client.
#[derive(Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) kind: Kind,
    pub(crate) namespace: &'a str,
    /// What an acknowledgement of it has to name.
    pub(crate) id: Option<u64>,
    /// How many binary frames belong to it, which come after it.
    pub(crate) attachments: u32,
    pub(crate) data: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
}

/// Why a packet cannot be used.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum BadPacket {
    #[error("the packet has none of the types that there are")]
    Unknown,
    #[error("the packet has a type that only servers send")]
    Kind,
    #[error("the packet does not say how many attachments it has")]
    NoCount,
    #[error("the packet announces more than {ATTACHMENTS} attachments")]
    Attachments,
    #[error("the namespace is longer than {NAME} bytes")]
    Namespace,
    #[error("the acknowledgement's id is not a number below 2^64")]
    Id,
    #[error("an event is a list of its name, a text, and its arguments")]
    Event,
    #[error("an event has a name of at most {NAME} bytes, and at most {ARGUMENTS} arguments")]
    TooLarge,
    #[error("the name of an event is a text here")]
    Name,
    #[error("the packet is nested deeper than {} levels", json::DEPTH)]
    Depth,
}

impl BadPacket {
    /// Whether this is no packet of the protocol at all, and ends the connection, as in the original
    /// server. Anything else is a packet that is of no use here, and the connection goes on.
    pub(crate) fn is_malformed(self) -> bool {
        matches!(self, Self::Unknown | Self::NoCount | Self::Event)
    }
}

/// An event: its name and what comes with it.
#[derive(Debug)]
pub(crate) struct Event<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) arguments: Vec<&'a RawValue>,
}

impl<'a> Packet<'a> {
    /// Read `text`, which came in a message of Engine.IO.
    pub(crate) fn parse(text: &'a str) -> Result<Self, BadPacket> {
        let mut chars = text.chars();
        let (kind, binary) = match chars.next() {
            Some('0') => (Kind::Connect, false),
            Some('1') => (Kind::Disconnect, false),
            Some('2') => (Kind::Event, false),
            Some('3') => (Kind::Ack, false),
            Some('5') => (Kind::Event, true),
            Some('6') => (Kind::Ack, true),
            Some('4') => return Err(BadPacket::Kind),
            _ => return Err(BadPacket::Unknown),
        };
        let rest = chars.as_str();
        if !binary {
            return Self::after(kind, 0, rest);
        }
        let (count, rest) = rest.split_once('-').ok_or(BadPacket::NoCount)?;
        let count = number(count).ok_or(BadPacket::NoCount)?;
        let count = u32::try_from(count).ok().filter(|it| *it <= ATTACHMENTS);
        let count = count.ok_or(BadPacket::Attachments)?;
        Self::after(kind, count, rest)
    }

    fn after(kind: Kind, attachments: u32, mut rest: &'a str) -> Result<Self, BadPacket> {
        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
            if namespace.len() > NAME {
                return Err(BadPacket::Namespace);
            }
            // What follows the name is a query, which older clients send.
            namespace = namespace.split('?').next().unwrap_or(namespace);
        }
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, data) = rest.split_at(digits);
        let id = if digits.is_empty() { None } else { Some(number(digits).ok_or(BadPacket::Id)?) };
        if json::is_deep(data) {
            return Err(BadPacket::Depth);
        }
        Ok(Self { kind, namespace, id, attachments, data })
    }
}

/// A number without a sign and in plain digits.
fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|it| it.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

impl<'a> Event<'a> {
    /// Read the data of an event.
    pub(crate) fn parse(data: &'a str) -> Result<Self, BadPacket> {
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
        let list: Vec<&RawValue> = serde_json::from_str(data).map_err(|_| BadPacket::Event)?;
        let (name, arguments) = list.split_first().ok_or(BadPacket::Event)?;
        let is_number = name.get().starts_with(|c: char| c == '-' || c.is_ascii_digit());
        let wrong = if is_number { BadPacket::Name } else { BadPacket::Event };
        let name = match serde_json::from_str(name.get()) {
            Ok(Name(name)) => name,
            Err(_) => json::read(name.get()).map(Cow::Owned).map_err(|_| wrong)?,
        };
        if name.len() > NAME || arguments.len() > ARGUMENTS {
            return Err(BadPacket::TooLarge);
        }
        Ok(Self { name, arguments: arguments.to_vec() })
    }
}

// === what is written, each as a message of Engine.IO ===

/// The namespace is connected; with a `pid`, another connection may go on with it.
pub(crate) fn connected(sid: impl fmt::Display, pid: Option<&str>) -> String {
    match pid {
        Some(pid) => format!("40{{\"sid\":\"{sid}\",\"pid\":\"{pid}\"}}"),
        None => format!("40{{\"sid\":\"{sid}\"}}"),
    }
}

/// The connection to a namespace is refused.
pub(crate) fn refused(namespace: &str, message: &str) -> String {
    let namespace = if namespace == "/" { String::new() } else { format!("{namespace},") };
    format!("44{namespace}{{\"message\":{}}}", quoted(message))
}

pub(crate) const DISCONNECT: &str = "41";

/// An event with one argument, which is JSON.
pub(crate) fn event(name: &str, argument: &str) -> String {
    format!("42[{},{argument}]", quoted(name))
}

/// An event that shows a record, with its offset as the last argument. Clients in JavaScript keep that
/// of the last event, and send it when they come back.
pub(crate) fn shown(name: &str, argument: &str, offset: impl fmt::Display) -> String {
    format!("42[{},{argument},{}]", quoted(name), quoted(&offset.to_string()))
}

/// The answer to an event that asked for one; `argument` is JSON, or nothing.
pub(crate) fn ack(id: u64, argument: &str) -> String {
    format!("43{id}[{argument}]")
}

pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is always JSON")
}

#[cfg(test)]
mod tests;
