//! Turns that a client asked for itself, and that no other client in its rooms is shown.
use std::borrow::Cow;

use quadrille_agents::{Desk, Ended, Phase};
use quadrille_core::{
    Event, Position, Tag,
    turn::{Failed, TurnEvent},
};
use quadrille_socketio::{NOTES, Offset, packet};
use serde_json::json;
use uuid::Uuid;

use crate::{render, wire};

/// The turns of one client that have not ended.
#[derive(Debug, Default)]
pub(crate) struct OwnTurns(Vec<(Uuid, TurnForm)>);

/// The events that show a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TurnForm {
    /// Token by token: an answer to `llm_request`.
    Tokens,
    /// As one `ai_response`: an answer to a message that begins with `/ai`.
    Whole,
}

impl TurnForm {
    /// The tag of the note that a resumed socket finds.
    pub(crate) fn tag(self) -> Tag {
        Tag::from(self == Self::Whole)
    }

    fn of(tag: Tag) -> Self {
        if tag == Self::Whole.tag() { Self::Whole } else { Self::Tokens }
    }
}

impl OwnTurns {
    /// Turns at once, so that all of them are noted for recovery; each is also bounded by the desk.
    pub(crate) const MAX: usize = NOTES;

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= Self::MAX
    }

    pub(crate) fn add(&mut self, turn: Uuid, form: TurnForm) {
        self.0.push((turn, form));
    }

    pub(crate) fn turns(&self) -> impl Iterator<Item = Uuid> {
        self.0.iter().map(|(turn, _)| *turn)
    }

    /// The turns among the notes of a resumed socket that have records after `after`.
    pub(super) fn resume(desk: &Desk, notes: Vec<(Uuid, Tag)>, after: Position) -> Self {
        let turns = notes.into_iter().filter(|(turn, _)| Self::goes_on(desk, *turn, after));
        Self(turns.map(|(turn, tag)| (turn, TurnForm::of(tag))).collect())
    }

    /// Whether a turn has records after `after`.
    fn goes_on(desk: &Desk, turn: Uuid, after: Position) -> bool {
        match desk.find(turn).map(|ticket| ticket.phase()) {
            Some(Phase::Ended(Ended { at: Some(at), .. })) => {
                at.epoch != after.epoch || at.offset > after.offset
            }
            Some(Phase::Waiting | Phase::Running) => true,
            Some(Phase::Ended(Ended { at: None, .. })) | None => false,
        }
    }

    /// Writes the packet that shows the record `event` of `turn`, if it is one of these; with
    /// `offset`.
    pub(crate) fn packet(
        &mut self,
        turn: &TurnEvent,
        event: &Event,
        offset: Option<Offset<'_>>,
    ) -> Option<String> {
        let at = self.0.iter().position(|(id, _)| *id == turn.turn())?;
        let (_, form) = self.0[at];
        if turn.is_last() {
            self.0.swap_remove(at);
        }
        let (name, payload) = shown(form, turn, event.ts)?;
        Some(match offset {
            Some(offset) => packet::event_with_offset(name, &payload, offset),
            None => packet::event(name, &payload),
        })
    }

    /// Writes packets for the turns whose last record is lost: those that ended up to `gap`.
    pub(crate) fn settle(&mut self, desk: &Desk, gap: Position) -> Vec<String> {
        let mut packets = Vec::new();
        self.0.retain(|(turn, form)| {
            let last = match desk.find(*turn) {
                Some(ticket) => ticket.last_event_missed_at(gap),
                None => Some(forgotten(*turn)),
            };
            let shown = last.as_ref().and_then(|last| shown(*form, last, quadrille_core::now()));
            packets.extend(shown.map(|(name, payload)| packet::event(name, &payload)));
            last.is_none()
        });
        packets
    }
}

/// The last record of a turn that the desk has forgotten.
fn forgotten(turn: Uuid) -> TurnEvent {
    TurnEvent::Failed(Failed {
        turn,
        code: "forgotten".into(),
        title: "the outcome of the question is no longer known".into(),
        text: "".into(),
        message: None,
    })
}

fn shown(form: TurnForm, turn: &TurnEvent, ts: u64) -> Option<(&'static str, Cow<'static, str>)> {
    match (form, turn) {
        (TurnForm::Whole, TurnEvent::Completed(completed)) => {
            let reply = json!({
                "message": format!("AI Response:{}", completed.text),
                "timestamp": wire::seconds(ts),
                "turn": completed.turn,
            });
            Some(("ai_response", reply.to_string().into()))
        }
        (TurnForm::Whole, TurnEvent::Delta(_)) => None,
        _ => render::named_turn(turn, None, ts),
    }
}
