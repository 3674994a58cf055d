//! Records as events of Socket.IO. Their names and members follow from the topic: conversations
//! have one dialect, named rooms another, and the records of other topics are shown as they are.
use std::{borrow::Cow, fmt::Write, sync::OnceLock};

use quadrille_core::{Event, Gap, Text, Wire, WireSlot, turn::TurnEvent};
use quadrille_socketio::{Offset, packet};
use serde_json::json;
use uuid::Uuid;

use crate::{
    topic::Dialect,
    wire::{self, MessageView},
};

/// Packets of an event: plain, with its position in the payload, with an offset after it, and with
/// both. Each is encoded when the first client needs it.
#[derive(Debug)]
enum SocketIo {}

impl Wire for SocketIo {
    type Frame = [OnceLock<RenderedPackets>; 4];
    const SLOT: WireSlot = WireSlot::SocketIo;

    fn encode(_: &Event) -> Self::Frame {
        Default::default()
    }

    /// Each packet is counted when it is encoded.
    fn held(_: &Self::Frame, _: &Text) -> usize {
        size_of::<Self::Frame>()
    }
}

/// Empty if the dialect has no event for the record.
type RenderedPackets = Box<[Box<str>]>;

/// The packets that show an event, shared by all clients that get the same. Only the last one has
/// the position and the offset: a client that goes on after it has all of them.
pub(crate) fn packets(event: &Event, position: bool, offset: bool) -> &[Box<str>] {
    let [plain, positioned, named, both] = event.frame::<SocketIo>();
    let frame = match (position, offset) {
        (false, false) => plain,
        (true, false) => positioned,
        (false, true) => named,
        (true, true) => both,
    };
    let made = || {
        let packets = encode(event, position, offset);
        event.grew(packets.iter().map(|packet| packet.len() + size_of::<Box<str>>()).sum());
        packets
    };
    frame.get_or_init(made)
}

fn encode(event: &Event, position: bool, offset: bool) -> RenderedPackets {
    let turn = if event.kind.starts_with("turn.") { TurnEvent::of(event) } else { None };
    if let (Dialect::Conversation(id), Some(TurnEvent::Snapshot(snapshot))) =
        (Dialect::of(&event.topic), &turn)
        && !snapshot.text.is_empty()
    {
        let (name, payload) = thinking(snapshot.turn, id);
        let chunk = chunk(snapshot.turn, 0, &snapshot.text, id);
        let last = whole_packet(event, chunk, position, offset);
        return [packet::event(name, &payload).into()].into_iter().chain(last).collect();
    }
    let shown = shown(event, turn.as_ref());
    shown.and_then(|shown| whole_packet(event, shown, position, offset)).into_iter().collect()
}

/// Name and payload of the event that shows a record; `None` if the dialect has none.
fn shown<'a>(event: &'a Event, turn: Option<&TurnEvent>) -> Option<ShownEvent<'a>> {
    match (Dialect::of(&event.topic), turn) {
        (Dialect::Conversation(id), Some(turn)) => conversation_turn(turn, id, event.ts),
        (Dialect::Named(room), Some(turn)) => named_turn(turn, Some(room), event.ts),
        _ => Some((&event.kind, Cow::Borrowed(&event.payload))),
    }
}

fn whole_packet(
    event: &Event,
    (name, payload): ShownEvent<'_>,
    position: bool,
    offset: bool,
) -> Option<Box<str>> {
    let mut members = String::new();
    if matches!(Dialect::of(&event.topic), Dialect::Other) {
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

/// Name and payload of an event.
type ShownEvent<'a> = (&'a str, Cow<'a, str>);

fn thinking(turn: Uuid, conversation_id: i64) -> ShownEvent<'static> {
    let payload = json!({"conversation_id": conversation_id, "turn": turn});
    ("ai_thinking", payload.to_string().into())
}

fn chunk(turn: Uuid, start: u64, text: &str, conversation_id: i64) -> ShownEvent<'static> {
    let payload = json!({
        "chunk": text, "start": start, "conversation_id": conversation_id, "turn": turn,
    });
    ("ai_response_chunk", payload.to_string().into())
}

fn conversation_turn(
    turn: &TurnEvent,
    conversation_id: i64,
    ts: u64,
) -> Option<ShownEvent<'static>> {
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
        ("ai_response_complete", Cow::from(wire::json(&said)))
    };
    Some(match turn {
        // The text of a snapshot comes after this.
        TurnEvent::Started(_) | TurnEvent::Snapshot(_) => thinking(id, conversation_id),
        TurnEvent::Delta(delta) => chunk(id, delta.start, &delta.text, conversation_id),
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
            ("ai_response_error", error.to_string().into())
        }
        _ => return None,
    })
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
        TurnEvent::Snapshot(snapshot) if !snapshot.text.is_empty() => {
            ("llm_token", json!({"token": snapshot.text, "start": 0, "turn": id}))
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
        _ => return None,
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
