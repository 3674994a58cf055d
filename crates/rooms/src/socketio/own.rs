//! Turns that a client asked for itself, and that nobody else in its rooms is shown.
use quadrille_core::{Event, turn::Turn};
use serde_json::json;
use uuid::Uuid;

use super::packet;
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

    /// What the client is told of `turn`, which is the record `event`, if it is one of these.
    pub(crate) fn packet(&mut self, turn: &Turn, event: &Event) -> Option<String> {
        let at = self.0.iter().position(|(id, _)| *id == turn.turn())?;
        let (_, form) = self.0[at];
        if turn.is_last() {
            self.0.swap_remove(at);
        }
        match (form, turn) {
            (Form::Whole, Turn::Completed(it)) => {
                let reply = json!({
                    "message": format!("AI Response:{}", it.text),
                    "timestamp": wire::seconds(event.ts),
                    "turn": it.turn,
                });
                Some(packet::event("ai_response", &reply.to_string()))
            }
            (Form::Whole, Turn::Delta(_)) => None,
            _ => {
                let (name, payload) = render::named_turn(turn, None, event.ts)?;
                Some(packet::event(name, &payload))
            }
        }
    }
}
