//! An index of every turn that can be asked about: those that wait or run, and those that ended not
//! long ago.
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use quadrille_core::{IdempotencyKey, Permit, Topic};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Ask,
    ticket::{Ending, TurnState},
};

#[derive(Default)]
pub(crate) struct TurnIndex {
    turns: HashMap<Uuid, Arc<TurnState>>,
    keys: HashMap<TurnKey, Uuid>,
    /// The turns that wait or run, by topic, in the order of their questions.
    unfinished: HashMap<Topic, VecDeque<Unfinished>>,
    /// The turns that ended, in the order of their ends, and the bytes of each.
    ended: VecDeque<(Instant, usize, Arc<TurnState>)>,
    /// Bytes of the turns that ended.
    ended_bytes: usize,
}

struct Unfinished {
    turn: Arc<TurnState>,
    /// The bytes that the turn holds until its end.
    _bytes: Permit,
}

/// An idempotency key counts for one user, in all topics.
type TurnKey = (Arc<str>, IdempotencyKey);

fn key(ask: &Ask) -> Option<TurnKey> {
    let key = ask.key.clone()?;
    Some((Arc::clone(&ask.user), key))
}

impl TurnIndex {
    pub(crate) fn find(&self, id: Uuid) -> Option<&Arc<TurnState>> {
        self.turns.get(&id)
    }

    /// The turn of the same idempotency key.
    pub(crate) fn find_by_key(&self, ask: &Ask) -> Option<&Arc<TurnState>> {
        self.turns.get(self.keys.get(&key(ask)?)?)
    }

    /// The turn that runs in `topic`, or else the one that has waited longest.
    pub(crate) fn current(&self, topic: &Topic) -> Option<&Arc<TurnState>> {
        let mut turns = self.unfinished.get(topic)?.iter().map(|unfinished| &unfinished.turn);
        let first = turns.clone().next();
        turns.find(|turn| turn.started.load(Relaxed)).or(first)
    }

    /// The turns that wait or run.
    pub(crate) fn unfinished(&self) -> Vec<Arc<TurnState>> {
        self.unfinished.values().flatten().map(|unfinished| Arc::clone(&unfinished.turn)).collect()
    }

    /// Adds a turn, which holds `bytes` until its end.
    pub(crate) fn insert(&mut self, turn: Arc<TurnState>, bytes: Permit) {
        let unfinished = Unfinished { turn: Arc::clone(&turn), _bytes: bytes };
        self.unfinished.entry(turn.ask.topic.clone()).or_default().push_back(unfinished);
        if let Some(key) = key(&turn.ask) {
            self.keys.insert(key, turn.id);
        }
        self.turns.insert(turn.id, turn);
    }

    /// Moves `turn` to those that ended.
    pub(crate) fn end(&mut self, turn: Arc<TurnState>, ending: &Ending) {
        self.remove_unfinished(&turn);
        if ending.frees_key() {
            self.release_key(&turn);
        }
        let size = turn.size() + ending.text().len();
        self.ended_bytes += size;
        self.ended.push_back((Instant::now(), size, turn));
    }

    /// Removes a turn that turned out to be none.
    pub(crate) fn forget(&mut self, turn: &TurnState) {
        self.remove_unfinished(turn);
        self.turns.remove(&turn.id);
        self.release_key(turn);
    }

    fn remove_unfinished(&mut self, turn: &TurnState) {
        let Some(turns) = self.unfinished.get_mut(&turn.ask.topic) else { return };
        turns.retain(|unfinished| unfinished.turn.id != turn.id);
        if turns.is_empty() {
            self.unfinished.remove(&turn.ask.topic);
        }
    }

    /// Forgets the turns that ended `keep` ago, and as many more as it takes to hold at most `bytes`.
    pub(crate) fn evict(&mut self, keep: Duration, bytes: usize) {
        let now = Instant::now();
        while let Some((at, ..)) = self.ended.front()
            && (self.ended_bytes > bytes || now.duration_since(*at) >= keep)
        {
            let Some((_, size, turn)) = self.ended.pop_front() else { return };
            self.ended_bytes -= size;
            self.turns.remove(&turn.id);
            self.release_key(&turn);
        }
    }

    /// Frees the key of `turn` for another turn, unless another has it already.
    fn release_key(&mut self, turn: &TurnState) {
        if let Some(key) = key(&turn.ask)
            && self.keys.get(&key) == Some(&turn.id)
        {
            self.keys.remove(&key);
        }
    }
}
