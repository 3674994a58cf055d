//! Whose turn it is: one at a time in each topic. Users take turns, within a topic and among topics,
//! so that nobody's many questions delay another's one; those of one user keep their order.
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use quadrille_core::{Holder, Permit, Pool, Shares, Shortage, Topic};

/// Turns that wait and topics whose turn runs. Every list is empty or absent when nothing waits.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    shares: Shares,
    /// Places for turns that run, and for those that wait.
    running: Pool,
    places: Pool,
    max_queued: usize,
    waiting: usize,
    lines: HashMap<Topic, TopicQueue<T>>,
    /// For each user, the topics whose first turn is theirs and could start now.
    ready: HashMap<Arc<str>, VecDeque<Topic>>,
    /// The users in `ready`, next one first.
    rotation: VecDeque<Arc<str>>,
}

/// The turns of one topic.
#[derive(Debug)]
struct TopicQueue<T> {
    /// Held while the turn of the topic runs.
    runs: Option<Permit>,
    /// The user and the round of the turn that was started last.
    last: Option<(Arc<str>, u64)>,
    /// In the order of their rounds.
    waiting: VecDeque<Waiting<T>>,
}

#[derive(Debug)]
struct Waiting<T> {
    user: Arc<str>,
    holder: Holder,
    /// Each user has one turn in each round.
    round: u64,
    turn: T,
    /// `None` if it did not have to wait.
    _place: Option<Permit>,
}

/// There is no room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueFull {
    Topic,
    Desk,
    /// The client has its share of the turns that may wait, in the topic or altogether.
    Share,
}

impl<T> Queue<T> {
    pub(crate) fn new(
        max_running: usize,
        max_queued: usize,
        max_waiting: usize,
        shares: &Shares,
    ) -> Self {
        Self {
            shares: shares.clone(),
            running: Pool::new("turns_running", max_running, shares),
            places: Pool::new("turns_waiting", max_waiting, shares),
            max_queued,
            waiting: 0,
            lines: HashMap::new(),
            ready: HashMap::new(),
            rotation: VecDeque::new(),
        }
    }

    pub(crate) fn running(&self) -> usize {
        self.running.used()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Takes a place for one more turn in `topic`. One that can start at once needs none.
    fn place(&self, topic: &Topic, holder: &Holder) -> Result<Option<Permit>, QueueFull> {
        let (runs, ahead, own) = self.line(topic, holder);
        let at_once = !runs && ahead == 0 && self.running.take(holder, 1).is_ok();
        if at_once {
            return Ok(None);
        }
        // The first of a topic that does not run waits for the desk alone, not for its topic.
        let first = usize::from(!runs);
        if ahead >= self.max_queued.saturating_add(first) {
            return Err(QueueFull::Topic);
        }
        let share = self.shares.limit(holder, self.max_queued);
        if own >= share.saturating_add(first) {
            return Err(QueueFull::Share);
        }
        self.places.take(holder, 1).map(Some).map_err(|shortage| match shortage {
            Shortage::QueueFull => QueueFull::Desk,
            Shortage::Share | Shortage::Strangers => QueueFull::Share,
        })
    }

    /// Whether one more turn can wait in `topic`, or start.
    pub(crate) fn room(&self, topic: &Topic, holder: &Holder) -> Result<(), QueueFull> {
        self.place(topic, holder).map(drop)
    }

    /// Whether a turn of `topic` runs, how many wait there, and how many of them are `holder`'s.
    fn line(&self, topic: &Topic, holder: &Holder) -> (bool, usize, usize) {
        self.lines.get(topic).map_or((false, 0, 0), |line| {
            let own = line.waiting.iter().filter(|it| it.holder == *holder).count();
            (line.runs.is_some(), line.waiting.len(), own)
        })
    }

    /// Puts a turn of `user` into the line of `topic`, if there is [room](Self::room).
    pub(crate) fn push(
        &mut self,
        topic: &Topic,
        user: &Arc<str>,
        holder: &Holder,
        turn: T,
    ) -> Result<(), QueueFull> {
        let place = self.place(topic, holder)?;
        let line = self.lines.entry(topic.clone()).or_insert_with(|| TopicQueue {
            runs: None,
            last: None,
            waiting: VecDeque::new(),
        });
        let (user, holder) = (Arc::clone(user), holder.clone());
        let round = line.round_of(&user);
        let at = line.waiting.partition_point(|it| it.round <= round);
        let first = line.waiting.front().map(|it| Arc::clone(&it.user)).filter(|_| at == 0);
        let starts = line.runs.is_none() && at == 0;
        line.waiting.insert(at, Waiting { user, holder, round, turn, _place: place });
        self.waiting += 1;
        if starts {
            if let Some(first) = first {
                self.unready(topic, &first);
            }
            self.make_ready(topic);
        }
        Ok(())
    }

    /// The turn to start now, if there is one and the desk has room for it. A user whose share of
    /// the running turns is taken is passed over, in each topic too.
    pub(crate) fn next(&mut self) -> Option<T> {
        if self.running.used() >= self.running.size() {
            return None;
        }
        let (topic, at, permit) = self.rotation.iter().find_map(|user| self.startable(user))?;
        let line = self.lines.get_mut(&topic)?;
        let first = Arc::clone(&line.waiting.front()?.user);
        let Waiting { user, round, turn, .. } = line.waiting.remove(at)?;
        line.runs = Some(permit);
        line.last = Some((user, round));
        self.waiting -= 1;
        self.unready(&topic, &first);
        if let Some(at) = self.rotation.iter().position(|it| *it == first) {
            // Others are next.
            self.rotation.remove(at);
            self.rotation.push_back(first);
        }
        Some(turn)
    }

    /// The first turn that can start, of those in topics whose first turn is `user`'s.
    fn startable(&self, user: &Arc<str>) -> Option<(Topic, usize, Permit)> {
        // Looks at the pool once for each client, as a rule.
        let mut refused: Option<&Holder> = None;
        self.ready.get(user)?.iter().find_map(|topic| {
            let waiting = &self.lines.get(topic)?.waiting;
            let (at, permit) =
                waiting.iter().enumerate().find_map(|(at, Waiting { holder, .. })| {
                    if refused == Some(holder) {
                        return None;
                    }
                    refused = Some(holder);
                    Some((at, self.running.try_take(holder, 1).ok()?))
                })?;
            Some((topic.clone(), at, permit))
        })
    }

    /// The turn that ran in `topic` has ended.
    pub(crate) fn done(&mut self, topic: &Topic) {
        let Some(line) = self.lines.get_mut(topic) else { return };
        if line.runs.take().is_none() {
            return;
        }
        if line.waiting.is_empty() {
            self.lines.remove(topic);
        } else {
            self.make_ready(topic);
        }
    }

    /// Take the first turn out of the line of `topic` that is the one meant.
    pub(crate) fn remove(&mut self, topic: &Topic, is: impl Fn(&T) -> bool) -> Option<T> {
        let line = self.lines.get_mut(topic)?;
        let at = line.waiting.iter().position(|it| is(&it.turn))?;
        let Waiting { user, turn, .. } = line.waiting.remove(at)?;
        self.waiting -= 1;
        if at == 0 && line.runs.is_none() {
            let left = line.waiting.is_empty();
            self.unready(topic, &user);
            if left {
                self.lines.remove(topic);
            } else {
                self.make_ready(topic);
            }
        }
        Some(turn)
    }

    /// Take out every turn that is meant.
    pub(crate) fn remove_all(&mut self, is: impl Fn(&T) -> bool) -> Vec<T> {
        let some = |line: &TopicQueue<T>| line.waiting.iter().any(|it| is(&it.turn));
        let due: Vec<_> =
            self.lines.iter().filter(|it| some(it.1)).map(|it| it.0.clone()).collect();
        let mut removed = Vec::new();
        for topic in due {
            while let Some(turn) = self.remove(&topic, &is) {
                removed.push(turn);
            }
        }
        removed
    }

    /// The first turn of `topic` could start.
    fn make_ready(&mut self, topic: &Topic) {
        let first = self.lines.get(topic).and_then(|line| line.waiting.front());
        let Some(Waiting { user, .. }) = first else { return };
        let topics = self.ready.entry(Arc::clone(user)).or_default();
        if topics.is_empty() {
            self.rotation.push_back(Arc::clone(user));
        }
        topics.push_back(topic.clone());
    }

    fn unready(&mut self, topic: &Topic, user: &Arc<str>) {
        let Some(topics) = self.ready.get_mut(user) else { return };
        topics.retain(|it| it != topic);
        if topics.is_empty() {
            self.ready.remove(user);
            self.rotation.retain(|it| it != user);
        }
    }
}

impl<T> TopicQueue<T> {
    /// The round of the next turn of `user`: after their own last one, and not before the present.
    fn round_of(&self, user: &Arc<str>) -> u64 {
        if let Some(last) = self.waiting.iter().rev().find(|it| it.user == *user) {
            return last.round + 1;
        }
        self.last.as_ref().map_or(0, |(last, round)| round + u64::from(last == user))
    }
}

#[cfg(test)]
mod tests;
