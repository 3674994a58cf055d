//! Records as events of Socket.IO. Their names and members follow from the topic: conversations
//! have one dialect, named rooms another, and the records of other topics are shown as they are.
use std::{borrow::Cow, fmt::Write, sync::OnceLock};

use quadrille_core::{Event, Gap, Text, Wire, WireSlot, turn::TurnEvent};
use quadrille_socketio::{Offset, packet};
use serde_json::json;

use crate::{
    topic::Dialect,
    wire::{self, MessageView},
};

/// Packets of an event: plain, with its position in the payload, with an offset after it, and with
/// both. Each is encoded when the first client needs it.
#[derive(Debug)]
enum SocketIo {}

impl Wire for SocketIo {
    type Frame = [OnceLock<RenderedPacket>; 4];
    const SLOT: WireSlot = WireSlot::SocketIo;

    fn encode(_: &Event) -> Self::Frame {
        Default::default()
    }

    /// Each packet is counted when it is encoded.
    fn held(_: &Self::Frame, _: &Text) -> usize {
        size_of::<Self::Frame>()
    }
}

/// `None` if the dialect has no event for the record.
type RenderedPacket = Option<Box<str>>;

/// The packet that shows an event, shared by all clients that get the same.
pub(crate) fn packet(event: &Event, position: bool, offset: bool) -> Option<&str> {
    let [plain, positioned, named, both] = event.frame::<SocketIo>();
    let frame = match (position, offset) {
        (false, false) => plain,
        (true, false) => positioned,
        (false, true) => named,
        (true, true) => both,
    };
    let made = || {
        let packet = encode(event, position, offset);
        event.grew(packet.as_ref().map_or(0, |packet| packet.len()));
        packet
    };
    frame.get_or_init(made).as_deref()
}

fn encode(event: &Event, position: bool, offset: bool) -> RenderedPacket {
    let turn = if event.kind.starts_with("turn.") { TurnEvent::of(event) } else { None };
    let (dialect, turn) = (Dialect::of(&event.topic), turn.as_ref());
    let (name, payload): (&str, Cow<'_, str>) = match (dialect, turn) {
        (Dialect::Conversation(id), Some(turn)) => conversation_turn(turn, id, event.ts)?,
        (Dialect::Named(room), Some(turn)) => named_turn(turn, Some(room), event.ts)?,
        _ => (&event.kind, Cow::Borrowed(&event.payload)),
    };
    let mut members = String::new();
    if matches!(dialect, Dialect::Other) {
        write!(members, "\"topic\":{}", packet::quoted(event.topic.as_str())).ok()?;
    }
    if position {
        let comma = if members.is_empty() { "" } else { "," };
        write!(members, "{comma}\"position\":\"{}\"", event.at).ok()?;
    }
    let argument = wire::with_members(&payload, &members);
    let packet = if offset {
        packet::event_with_offset(name, &argument, Offset(&event.topic, event.at))
    } else {
        packet::event(name, &argument)
    };
    Some(packet.into())
}

fn conversation_turn(
    turn: &TurnEvent,
    conversation_id: i64,
    ts: u64,
) -> Option<(&'static str, Cow<'static, str>)> {
    let id = turn.turn();
    let whole = |text: &str, message: Option<i64>, cancelled: Option<bool>| {
        let at = wire::time(i64::try_from(ts).unwrap_or(i64::MAX));
        let said = MessageView {
            message_id: message,
            role: "assistant",
            sender: "assistant",
            content: text,
            timestamp: at.clone(),
            created_at: at,
            conversation_id,
            user_id: None,
            temp_id: None,
            turn: Some(id),
            cancelled,
        };
        ("ai_response_complete", wire::json(&said))
    };
    let (name, payload) = match turn {
        TurnEvent::Started(_) => {
            ("ai_thinking", json!({"conversation_id": conversation_id, "turn": id}).to_string())
        }
        TurnEvent::Delta(delta) => {
            let chunk = json!({
                "chunk": delta.text, "start": delta.start,
                "conversation_id": conversation_id, "turn": id,
            });
            ("ai_response_chunk", chunk.to_string())
        }
        TurnEvent::Completed(completed) => whole(&completed.text, completed.message, None),
        TurnEvent::Cancelled(cancelled) => whole(&cancelled.text, cancelled.message, Some(true)),
        TurnEvent::Failed(failed) => {
            let mut error = json!({
                "error": wire::apology(&failed.title), "code": failed.code, "message_id": failed.message,
                "conversation_id": conversation_id, "turn": id,
            });
            if let (false, Some(members)) = (failed.text.is_empty(), error.as_object_mut()) {
                members.insert("text".to_owned(), (*failed.text).into());
            }
            ("ai_response_error", error.to_string())
        }
        TurnEvent::Status(_) | TurnEvent::Tool(_) => return None,
    };
    Some((name, payload.into()))
}

/// The event for a turn in a named room, or for one of the client alone.
pub(crate) fn named_turn(
    turn: &TurnEvent,
    room: Option<&str>,
    ts: u64,
) -> Option<(&'static str, Cow<'static, str>)> {
    let (id, timestamp) = (turn.turn(), wire::seconds(ts));
    let (name, mut payload) = match turn {
        TurnEvent::Delta(delta) => {
            ("llm_token", json!({"token": delta.text, "start": delta.start, "turn": id}))
        }
        TurnEvent::Completed(completed) => {
            let whole = json!({
                "message": "Response complete", "timestamp": timestamp,
                "text": completed.text, "turn": id,
            });
            ("llm_complete", whole)
        }
        TurnEvent::Cancelled(cancelled) => {
            let part = json!({
                "message": "Response cancelled", "timestamp": timestamp,
                "text": cancelled.text, "turn": id, "cancelled": true,
            });
            ("llm_complete", part)
        }
        TurnEvent::Failed(failed) => (
            "error",
            json!({"message": wire::apology(&failed.title), "code": failed.code, "turn": id}),
        ),
        TurnEvent::Started(_) | TurnEvent::Status(_) | TurnEvent::Tool(_) => return None,
    };
    if let (Some(room), Some(members)) = (room, payload.as_object_mut()) {
        members.insert("room".to_owned(), room.into());
    }
    Some((name, payload.to_string().into()))
}

/// The event for a gap in the records.
pub(crate) fn gap(gap: &Gap) -> String {
    let mut payload = json!({
        "topic": gap.topic.as_str(), "missed": gap.missed, "position": gap.at.to_string(),
    });
    let name = match Dialect::of(&gap.topic) {
        Dialect::Conversation(id) => Some(("conversation_id", id.into())),
        Dialect::Named(room) => Some(("room", room.into())),
        Dialect::Other => None,
    };
    if let (Some((name, value)), Some(members)) = (name, payload.as_object_mut()) {
        members.insert(name.to_owned(), value);
    }
    packet::event("gap", &payload.to_string())
}

#[cfg(test)]
mod tests;
