//! Packets of Socket.IO, protocol 5: read from a client, written to it.
use std::{borrow::Cow, fmt};

use quadrille_core::json;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Binary attachments that one packet may announce.
const ATTACHMENTS: u32 = 16;

/// Bytes of a namespace, and of an event's name.
const NAME: usize = 255;

/// Arguments of one event.
const ARGUMENTS: usize = 16;

/// A packet from a client.
#[derive(Debug)]
pub struct Packet<'a> {
    pub kind: PacketKind,
    pub namespace: &'a str,
    /// Id that an acknowledgement of it names.
    pub id: Option<u64>,
    /// Number of binary messages that follow and belong to it.
    pub attachments: u32,
    pub data: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    Connect,
    Disconnect,
    Event,
    Ack,
}

/// Error of a packet that cannot be used.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadPacket {
    #[error("the packet has an unknown type")]
    Unknown,
    #[error("the packet has a type that only servers send")]
    ServerOnly,
    #[error("the packet does not say how many attachments it has")]
    NoCount,
    #[error("the packet announces more than {ATTACHMENTS} attachments")]
    Attachments,
    #[error("the namespace is longer than {NAME} bytes")]
    Namespace,
    #[error("the acknowledgement's id is not a number below 2^64")]
    Id,
    #[error("an event is an array of its name and its arguments")]
    Event,
    #[error("an event has a name of at most {NAME} bytes, and at most {ARGUMENTS} arguments")]
    TooLarge,
    #[error("the name of an event must be a string")]
    Name,
    #[error("the packet is nested deeper than {} levels", json::DEPTH)]
    Depth,
}

impl BadPacket {
    /// Whether this is no packet of the protocol at all, and ends the connection, as in the
    /// original server. After any other error the connection goes on.
    pub fn is_malformed(self) -> bool {
        matches!(self, Self::Unknown | Self::NoCount | Self::Event)
    }
}

/// The data of an event: its name and its arguments.
#[derive(Debug)]
pub struct EventData<'a> {
    pub name: Cow<'a, str>,
    pub arguments: Vec<&'a RawValue>,
}

impl<'a> Packet<'a> {
    /// Reads a message of Engine.IO. Data that is nested too deep is refused before it is parsed.
    pub fn parse(text: &'a str) -> Result<Self, BadPacket> {
        let mut chars = text.chars();
        let (kind, binary) = match chars.next() {
            Some('0') => (PacketKind::Connect, false),
            Some('1') => (PacketKind::Disconnect, false),
            Some('2') => (PacketKind::Event, false),
            Some('3') => (PacketKind::Ack, false),
            Some('5') => (PacketKind::Event, true),
            Some('6') => (PacketKind::Ack, true),
            Some('4') => return Err(BadPacket::ServerOnly),
            _ => return Err(BadPacket::Unknown),
        };
        let rest = chars.as_str();
        if !binary {
            return Self::after(kind, 0, rest);
        }
        let (count, rest) = rest.split_once('-').ok_or(BadPacket::NoCount)?;
        let count = number(count).ok_or(BadPacket::NoCount)?;
        let count = u32::try_from(count).ok().filter(|count| *count <= ATTACHMENTS);
        let count = count.ok_or(BadPacket::Attachments)?;
        Self::after(kind, count, rest)
    }

    fn after(kind: PacketKind, attachments: u32, mut rest: &'a str) -> Result<Self, BadPacket> {
        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
            if namespace.len() > NAME {
                return Err(BadPacket::Namespace);
            }
            // A query follows the name, which older clients send.
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

/// Reads a number without a sign and in plain digits.
fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

impl<'a> EventData<'a> {
    /// Reads the data of an event.
    pub fn parse(data: &'a str) -> Result<Self, BadPacket> {
        #[derive(Deserialize)]
        struct EventName<'a>(#[serde(borrow)] Cow<'a, str>);
        let list: Vec<&RawValue> = serde_json::from_str(data).map_err(|_| BadPacket::Event)?;
        let (name, arguments) = list.split_first().ok_or(BadPacket::Event)?;
        let is_number = name.get().starts_with(|c: char| c == '-' || c.is_ascii_digit());
        let wrong = if is_number { BadPacket::Name } else { BadPacket::Event };
        let name = match serde_json::from_str(name.get()) {
            Ok(EventName(name)) => name,
            Err(_) => json::read(name.get()).map(Cow::Owned).map_err(|_| wrong)?,
        };
        if name.len() > NAME || arguments.len() > ARGUMENTS {
            return Err(BadPacket::TooLarge);
        }
        Ok(Self { name, arguments: arguments.to_vec() })
    }
}

// === packets of the server, each as a message of Engine.IO ===

/// Writes the answer to a CONNECT; with a `pid`, another connection can resume the socket.
pub fn connected(sid: impl fmt::Display, pid: Option<&str>) -> String {
    match pid {
        Some(pid) => format!("40{{\"sid\":\"{sid}\",\"pid\":\"{pid}\"}}"),
        None => format!("40{{\"sid\":\"{sid}\"}}"),
    }
}

/// Writes the refusal of a CONNECT.
pub fn refused(namespace: &str, message: &str) -> String {
    let namespace = if namespace == "/" { String::new() } else { format!("{namespace},") };
    format!("44{namespace}{{\"message\":{}}}", quoted(message))
}

/// Ends the client's connection to the namespace.
pub(crate) const DISCONNECT: &str = "41";

/// Writes an event with one argument, which is JSON.
pub fn event(name: &str, argument: &str) -> String {
    format!("42[{},{argument}]", quoted(name))
}

/// Writes an event that shows a record, with its offset as the last argument. Clients in JavaScript
/// keep that of the last event, and send it when they come back.
pub fn event_with_offset(name: &str, argument: &str, offset: impl fmt::Display) -> String {
    format!("42[{},{argument},{}]", quoted(name), quoted(&offset.to_string()))
}

/// Writes an acknowledgement; `arguments` is JSON, separated by commas, or empty.
pub fn ack(id: u64, arguments: &str) -> String {
    format!("43{id}[{arguments}]")
}

/// Writes a JSON string.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is always JSON")
}

#[cfg(test)]
mod tests;
