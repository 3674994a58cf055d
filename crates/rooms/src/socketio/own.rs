//! Turns that a client asked for itself, and that nobody else in its rooms is shown.
use std::borrow::Cow;

use quadrille_agents::{Desk, Ended, Phase};
use quadrille_core::{
    Event, Position,
    turn::{Failed, TurnEvent},
};
use serde_json::json;
use uuid::Uuid;

use super::{packet, recovery::Offset};
use crate::{render, wire};

/// The turns of one client that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Owned(Vec<(Uuid, Form)>);

/// How a turn is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Token by token: an answer to `llm_request`.
    Tokens,
    /// As one `ai_response`: an answer to a message that begins with `/ai`.
    Whole,
}

impl Owned {
    /// Turns at once; each is also bounded by the desk.
    pub(crate) const MAX: usize = 32;

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= Self::MAX
    }

    pub(crate) fn add(&mut self, turn: Uuid, form: Form) {
        self.0.push((turn, form));
    }

    pub(crate) fn turns(&self) -> impl Iterator<Item = Uuid> {
        self.0.iter().map(|(turn, _)| *turn)
    }

    /// These go on over another connection.
    pub(super) fn again(turns: Vec<(Uuid, Form)>) -> Self {
        Self(turns)
    }

    /// Whether a turn has more to say after `after`.
    pub(super) fn goes_on(desk: &Desk, turn: Uuid, after: Position) -> bool {
        match desk.find(turn).map(|ticket| ticket.phase()) {
            Some(Phase::Ended(Ended { at: Some(at), .. })) => {
                at.epoch != after.epoch || at.offset > after.offset
            }
            Some(Phase::Waiting | Phase::Running) => true,
            Some(Phase::Ended(Ended { at: None, .. })) | None => false,
        }
    }

    /// What the client is told of `turn`, which is the record `event`, if it is one of these; named
    /// by `offset`.
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
            Some(offset) => packet::shown(name, &payload, offset),
            None => packet::event(name, &payload),
        })
    }

    /// What the client is told of turns that ended in records which it will not get: those up to
    /// `gap`.
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

/// The last record of a turn that the desk does not remember.
fn forgotten(turn: Uuid) -> TurnEvent {
    TurnEvent::Failed(Failed {
        turn,
        code: "forgotten".into(),
        title: "what became of the question is not known any more".into(),
        message: None,
    })
}

fn shown(form: Form, turn: &TurnEvent, ts: u64) -> Option<(&'static str, Cow<'static, str>)> {
    match (form, turn) {
        (Form::Whole, TurnEvent::Completed(it)) => {
            let reply = json!({
                "message": format!("AI Response:{}", it.text),
                "timestamp": wire::seconds(ts),
                "turn": it.turn,
            });
            Some(("ai_response", reply.to_string().into()))
        }
        (Form::Whole, TurnEvent::Delta(_)) => None,
        _ => render::named_turn(turn, None, ts),
    }
}
