//! Every turn that can be asked about: those that wait or run, and those that ended not long ago.
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use quadrille_core::{Permit, Topic};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Ask, Code,
    ticket::{Ending, TurnState},
};

#[derive(Default)]
pub(crate) struct TurnIndex {
    turns: HashMap<Uuid, Arc<TurnState>>,
    keys: HashMap<Key, Uuid>,
    /// Those that ended, in the order of their ends, and the bytes of each.
    ended: VecDeque<(Instant, usize, Arc<TurnState>)>,
    /// The bytes that those hold that did not end.
    open: HashMap<Uuid, Permit>,
    /// Bytes of those that ended.
    kept: usize,
}

/// An idempotency key is its user's own, in one topic.
type Key = (Topic, Arc<str>, Arc<str>);

fn key(ask: &Ask) -> Option<Key> {
    let key = ask.key.as_ref()?;
    Some((ask.topic.clone(), Arc::clone(&ask.user), Arc::clone(key)))
}

impl TurnIndex {
    pub(crate) fn find(&self, id: Uuid) -> Option<&Arc<TurnState>> {
        self.turns.get(&id)
    }

    /// The turn that was asked for with the same key.
    pub(crate) fn joined(&self, ask: &Ask) -> Option<&Arc<TurnState>> {
        self.turns.get(self.keys.get(&key(ask)?)?)
    }

    /// The turns that did not end.
    pub(crate) fn unfinished(&self) -> Vec<Arc<TurnState>> {
        self.turns.values().filter(|turn| turn.ended.get().is_none()).cloned().collect()
    }

    /// `bytes` are given back at its end.
    pub(crate) fn enter(&mut self, turn: Arc<TurnState>, bytes: Permit) {
        self.open.insert(turn.id, bytes);
        if let Some(key) = key(&turn.ask) {
            self.keys.insert(key, turn.id);
        }
        self.turns.insert(turn.id, turn);
    }

    /// `turn` has ended.
    pub(crate) fn close(&mut self, turn: Arc<TurnState>, ending: &Ending) {
        self.open.remove(&turn.id);
        if *ending == Ending::Failed(Code::QueueTimeout) {
            // Nobody was asked: the same question may be asked again with the same key.
            self.release(&turn);
        }
        let size = turn.size() + ending.len();
        self.kept += size;
        self.ended.push_back((Instant::now(), size, turn));
    }

    /// Forget what ended `keep` ago, and as much more as needed to hold `bytes` at most.
    pub(crate) fn forget(&mut self, keep: Duration, bytes: usize) {
        let now = Instant::now();
        while let Some((at, ..)) = self.ended.front()
            && (self.kept > bytes || now.duration_since(*at) >= keep)
        {
            let Some((_, size, turn)) = self.ended.pop_front() else { return };
            self.kept -= size;
            self.turns.remove(&turn.id);
            self.release(&turn);
        }
    }

    /// Let another turn have the key of `turn`, if it is still its own.
    fn release(&mut self, turn: &TurnState) {
        if let Some(key) = key(&turn.ask)
            && self.keys.get(&key) == Some(&turn.id)
        {
            self.keys.remove(&key);
        }
    }
}
