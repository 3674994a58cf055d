//! Turns that a client asked for itself, and that no other client in its rooms is shown.
use std::borrow::Cow;

use quadrille_agents::{Desk, Ended, Ending, Phase};
use quadrille_core::{
    Event, Position, Tag,
    turn::{self, Turn},
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
        turn: &Turn,
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
        let (gone, kept) = self.0.drain(..).partition(|(id, _)| is_over(desk, *id, gap));
        self.0 = kept;
        let gone: Vec<(Uuid, TurnForm)> = gone;
        gone.into_iter()
            .filter_map(|(id, form)| {
                let ended = desk.find(id).map(|ticket| ticket.phase());
                let (name, payload) = shown(form, &last(id, ended), quadrille_core::now())?;
                Some(packet::event(name, &payload))
            })
            .collect()
    }
}

/// Whether the last record of a turn is not after `gap`.
fn is_over(desk: &Desk, turn: Uuid, gap: Position) -> bool {
    match desk.find(turn).map(|ticket| ticket.phase()) {
        Some(Phase::Ended(Ended { at: Some(at), .. })) => {
            at.epoch != gap.epoch || at.offset <= gap.offset
        }
        Some(Phase::Ended(Ended { at: None, .. })) | None => true,
        Some(Phase::Waiting | Phase::Running) => false,
    }
}

/// The last record of a turn, as far as the desk still knows it.
fn last(turn: Uuid, phase: Option<Phase>) -> Turn {
    match phase {
        Some(Phase::Ended(Ended { ending: Ending::Completed(text), message, .. })) => {
            Turn::Completed(turn::Completed { turn, text, message })
        }
        Some(Phase::Ended(Ended { ending: Ending::Cancelled(text), message, .. })) => {
            Turn::Cancelled(turn::Cancelled { turn, text, message })
        }
        Some(Phase::Ended(Ended { ending: Ending::Failed(code), message, .. })) => {
            let (code, title) = (code.as_str().into(), code.title().into());
            Turn::Failed(turn::Failed { turn, code, title, message })
        }
        _ => Turn::Failed(turn::Failed {
            turn,
            code: "forgotten".into(),
            title: "the outcome of the question is no longer known".into(),
            message: None,
        }),
    }
}

fn shown(form: TurnForm, turn: &Turn, ts: u64) -> Option<(&'static str, Cow<'static, str>)> {
    match (form, turn) {
        (TurnForm::Whole, Turn::Completed(it)) => {
            let reply = json!({
                "message": format!("AI Response:{}", it.text),
                "timestamp": wire::seconds(ts),
                "turn": it.turn,
            });
            Some(("ai_response", reply.to_string().into()))
        }
        (TurnForm::Whole, Turn::Delta(_)) => None,
        _ => render::named_turn(turn, None, ts),
    }
}
