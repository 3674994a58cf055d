//! Storing a question, and finding that its key is of another turn.
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering::SeqCst},
};

use futures_util::FutureExt;

use super::Desk;
use crate::{
    Code,
    ask::Refused,
    journal::{Begun, KeptTurn},
    ticket::{Begin, Ended, Ending, Ticket, TurnState},
};

impl Desk {
    /// Stores the question of `turn`, or waits for the task that does.
    pub(super) async fn begin<'a>(&self, turn: &'a Arc<TurnState>) -> &'a Begin {
        if !turn.begins.swap(true, SeqCst) {
            let stored = AssertUnwindSafe(self.store_question(turn)).catch_unwind().await;
            let begin = stored.unwrap_or_else(|_| {
                tracing::error!("the journal panicked; this is a defect");
                Begin::NotStored
            });
            turn.begun.set(begin).expect("a question is stored by one task");
        }
        turn.begun.wait().await
    }

    /// Stores the question of a turn that waits.
    pub(super) async fn begin_waiting(self, turn: Arc<TurnState>) {
        let is_own = matches!(self.begin(&turn).await, Begin::Own);
        let is_meant = |waiting: &Arc<TurnState>| waiting.id == turn.id;
        if is_own {
            return;
        }
        // If it does not wait any more, it is ended by the task that took it.
        let removed = self.state().queue.remove(&turn.ask.topic, is_meant);
        if let Some(turn) = removed {
            self.end(turn, Ending::failed(Code::NotStored)).await;
        }
    }

    async fn store_question(&self, turn: &Arc<TurnState>) -> Begin {
        match self.0.runner.journal.begin(&Ticket(Arc::clone(turn))).await {
            Ok(Begun::New) => Begin::Own,
            Ok(Begun::Known(kept)) => self.join(turn, kept),
            Err(_) => Begin::NotStored,
        }
    }

    /// Joins the turn of the same key, which is in the store.
    fn join(&self, turn: &TurnState, kept: KeptTurn) -> Begin {
        if !kept.is_same(&turn.ask.topic, &turn.ask.text, &turn.agent.name) {
            return Begin::Refused(Refused::KeyReused);
        }
        if let Some(known) = self.find(kept.id) {
            return Begin::Joined(known);
        }
        if kept.ending.is_none() {
            // It runs on another node, or is about to be ended after a restart.
            return Begin::Refused(Refused::DeskFull);
        }
        let agent = Arc::clone(&turn.agent);
        Begin::Joined(Ticket(Arc::new(TurnState::restored(kept, agent))))
    }

    /// Removes a turn that turned out to be none, without a record.
    pub(super) fn dismiss(&self, turn: &Arc<TurnState>) {
        let mut state = self.state();
        if turn.started.load(SeqCst) {
            state.queue.done(&turn.ask.topic);
        }
        state.index.forget(turn);
        let ended = Ended { ending: Ending::failed(Code::NotStored), at: None, message: None };
        turn.ended.set(ended).expect("a turn ends once");
        self.start(state);
    }
}
