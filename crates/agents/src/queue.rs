//! The queue of turns: one runs at a time in each topic. Users take turns, within a topic and among
//! topics, so that many questions of one user do not delay one of another; those of one user keep
//! their order.
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use quadrille_core::{Holder, Permit, Pool, Shares, Shortage, Topic};

/// Turns that wait and topics whose turn runs. Every list is empty or absent when nothing waits.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    shares: Shares,
    /// Permits for turns that run, and for turns that wait.
    running_permits: Pool,
    waiting_permits: Pool,
    max_queued: usize,
    waiting: usize,
    topics: HashMap<Topic, TopicQueue<T>>,
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
    _permit: Option<Permit>,
}

/// The bound that one more turn would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueFull {
    Topic,
    Desk,
    /// The client's share of the turns that may wait, in the topic or altogether.
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
            running_permits: Pool::new("turns_running", max_running, shares),
            waiting_permits: Pool::new("turns_waiting", max_waiting, shares),
            max_queued,
            waiting: 0,
            topics: HashMap::new(),
            ready: HashMap::new(),
            rotation: VecDeque::new(),
        }
    }

    pub(crate) fn running(&self) -> usize {
        self.running_permits.used()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Takes a permit to wait for one more turn in `topic`. One that can start at once needs none.
    fn permit_to_wait(&self, topic: &Topic, holder: &Holder) -> Result<Option<Permit>, QueueFull> {
        let (runs, ahead, own) = self.load(topic, holder);
        let at_once = !runs && ahead == 0 && self.running_permits.take(holder, 1).is_ok();
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
        self.waiting_permits.take(holder, 1).map(Some).map_err(|shortage| match shortage {
            Shortage::Full => QueueFull::Desk,
            Shortage::Share | Shortage::Strangers => QueueFull::Share,
        })
    }

    /// Fails if one more turn can neither wait in `topic` nor start.
    pub(crate) fn check_room(&self, topic: &Topic, holder: &Holder) -> Result<(), QueueFull> {
        self.permit_to_wait(topic, holder).map(drop)
    }

    /// Whether a turn of `topic` runs, how many wait there, and how many of them are `holder`'s.
    fn load(&self, topic: &Topic, holder: &Holder) -> (bool, usize, usize) {
        self.topics.get(topic).map_or((false, 0, 0), |queue| {
            let own = queue.waiting.iter().filter(|waiting| waiting.holder == *holder).count();
            (queue.runs.is_some(), queue.waiting.len(), own)
        })
    }

    /// Queues a turn of `user` in `topic`, if there is [room](Self::check_room).
    pub(crate) fn push(
        &mut self,
        topic: &Topic,
        user: &Arc<str>,
        holder: &Holder,
        turn: T,
    ) -> Result<(), QueueFull> {
        let permit = self.permit_to_wait(topic, holder)?;
        let queue = self.topics.entry(topic.clone()).or_insert_with(|| TopicQueue {
            runs: None,
            last: None,
            waiting: VecDeque::new(),
        });
        let (user, holder) = (Arc::clone(user), holder.clone());
        let round = queue.round_of(&user);
        let at = queue.waiting.partition_point(|waiting| waiting.round <= round);
        let first =
            queue.waiting.front().map(|waiting| Arc::clone(&waiting.user)).filter(|_| at == 0);
        let starts = queue.runs.is_none() && at == 0;
        queue.waiting.insert(at, Waiting { user, holder, round, turn, _permit: permit });
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
        if self.running_permits.used() >= self.running_permits.size() {
            return None;
        }
        let (topic, at, permit) = self.rotation.iter().find_map(|user| self.startable(user))?;
        let queue = self.topics.get_mut(&topic)?;
        let first = Arc::clone(&queue.waiting.front()?.user);
        let Waiting { user, round, turn, .. } = queue.waiting.remove(at)?;
        queue.runs = Some(permit);
        queue.last = Some((user, round));
        self.waiting -= 1;
        self.unready(&topic, &first);
        if let Some(at) = self.rotation.iter().position(|user| *user == first) {
            // The other users are next.
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
            let waiting = &self.topics.get(topic)?.waiting;
            let (at, permit) =
                waiting.iter().enumerate().find_map(|(at, Waiting { holder, .. })| {
                    if refused == Some(holder) {
                        return None;
                    }
                    refused = Some(holder);
                    Some((at, self.running_permits.try_take(holder, 1).ok()?))
                })?;
            Some((topic.clone(), at, permit))
        })
    }

    /// Notes that the turn that ran in `topic` has ended.
    pub(crate) fn done(&mut self, topic: &Topic) {
        let Some(queue) = self.topics.get_mut(topic) else { return };
        if queue.runs.take().is_none() {
            return;
        }
        if queue.waiting.is_empty() {
            self.topics.remove(topic);
        } else {
            self.make_ready(topic);
        }
    }

    /// Removes the first turn waiting in `topic` that `is` accepts.
    pub(crate) fn remove(&mut self, topic: &Topic, is: impl Fn(&T) -> bool) -> Option<T> {
        let queue = self.topics.get_mut(topic)?;
        let at = queue.waiting.iter().position(|waiting| is(&waiting.turn))?;
        let Waiting { user, turn, .. } = queue.waiting.remove(at)?;
        self.waiting -= 1;
        if at == 0 && queue.runs.is_none() {
            let left = queue.waiting.is_empty();
            self.unready(topic, &user);
            if left {
                self.topics.remove(topic);
            } else {
                self.make_ready(topic);
            }
        }
        Some(turn)
    }

    /// Removes every waiting turn that `is` accepts.
    pub(crate) fn remove_all(&mut self, is: impl Fn(&T) -> bool) -> Vec<T> {
        let some = |queue: &TopicQueue<T>| queue.waiting.iter().any(|waiting| is(&waiting.turn));
        let due: Vec<_> = self
            .topics
            .iter()
            .filter(|(_, queue)| some(queue))
            .map(|(topic, _)| topic.clone())
            .collect();
        let mut removed = Vec::new();
        for topic in due {
            while let Some(turn) = self.remove(&topic, &is) {
                removed.push(turn);
            }
        }
        removed
    }

    /// Notes that the first turn of `topic` could start.
    fn make_ready(&mut self, topic: &Topic) {
        let first = self.topics.get(topic).and_then(|queue| queue.waiting.front());
        let Some(Waiting { user, .. }) = first else { return };
        let topics = self.ready.entry(Arc::clone(user)).or_default();
        if topics.is_empty() {
            self.rotation.push_back(Arc::clone(user));
        }
        topics.push_back(topic.clone());
    }

    fn unready(&mut self, topic: &Topic, user: &Arc<str>) {
        let Some(topics) = self.ready.get_mut(user) else { return };
        topics.retain(|other| other != topic);
        if topics.is_empty() {
            self.ready.remove(user);
            self.rotation.retain(|other| other != user);
        }
    }
}

impl<T> TopicQueue<T> {
    /// The round of the next turn of `user`: after their own last one, and not before the present.
    fn round_of(&self, user: &Arc<str>) -> u64 {
        if let Some(last) = self.waiting.iter().rev().find(|waiting| waiting.user == *user) {
            return last.round + 1;
        }
        self.last.as_ref().map_or(0, |(last, round)| round + u64::from(last == user))
    }
}

#[cfg(test)]
mod tests;
