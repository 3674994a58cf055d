//! Whose turn it is: one at a time in each topic, in the order of asking; among users in rotation,
//! so that nobody's many questions delay another's one.
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use quadrille_core::Topic;

/// Turns that wait and topics whose turn runs. Every list is empty or absent when nothing waits.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    max_running: usize,
    max_queued: usize,
    max_waiting: usize,
    running: usize,
    waiting: usize,
    lines: HashMap<Topic, Line<T>>,
    /// For each user, the topics whose first turn is theirs and could start now.
    ready: HashMap<Arc<str>, VecDeque<Topic>>,
    /// The users in `ready`, next one first.
    rotation: VecDeque<Arc<str>>,
}

/// The turns of one topic.
#[derive(Debug)]
struct Line<T> {
    runs: bool,
    waiting: VecDeque<(Arc<str>, T)>,
}

/// There is no room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    Topic,
    Desk,
}

impl<T> Queue<T> {
    pub(crate) fn new(max_running: usize, max_queued: usize, max_waiting: usize) -> Self {
        Self {
            max_running,
            max_queued,
            max_waiting,
            running: 0,
            waiting: 0,
            lines: HashMap::new(),
            ready: HashMap::new(),
            rotation: VecDeque::new(),
        }
    }

    pub(crate) fn running(&self) -> usize {
        self.running
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether one more turn can wait in `topic`. One that can start at once always can.
    pub(crate) fn room(&self, topic: &Topic) -> Result<(), Full> {
        let (runs, ahead) = self.line(topic);
        let at_once = !runs && ahead == 0 && self.running < self.max_running;
        // The first of a topic that does not run waits for the desk alone, not for its topic.
        if ahead >= self.max_queued.saturating_add(usize::from(!runs)) {
            return Err(Full::Topic);
        }
        if !at_once && self.waiting >= self.max_waiting { Err(Full::Desk) } else { Ok(()) }
    }

    /// Whether a turn of `topic` runs, and how many wait there.
    fn line(&self, topic: &Topic) -> (bool, usize) {
        self.lines.get(topic).map_or((false, 0), |line| (line.runs, line.waiting.len()))
    }

    /// Append a turn of `user` to the line of `topic`, if there is [room](Self::room).
    pub(crate) fn push(&mut self, topic: &Topic, user: &Arc<str>, turn: T) -> Result<(), Full> {
        self.room(topic)?;
        let (runs, ahead) = self.line(topic);
        let line = self
            .lines
            .entry(topic.clone())
            .or_insert_with(|| Line { runs: false, waiting: VecDeque::new() });
        line.waiting.push_back((Arc::clone(user), turn));
        self.waiting += 1;
        if !runs && ahead == 0 {
            self.make_ready(topic);
        }
        Ok(())
    }

    /// The turn to start now, if there is one and the desk has room for it.
    pub(crate) fn next(&mut self) -> Option<T> {
        if self.running >= self.max_running {
            return None;
        }
        let user = self.rotation.pop_front()?;
        let topics = self.ready.get_mut(&user)?;
        let topic = topics.pop_front()?;
        if topics.is_empty() {
            self.ready.remove(&user);
        } else {
            self.rotation.push_back(user);
        }
        let line = self.lines.get_mut(&topic)?;
        let (_, turn) = line.waiting.pop_front()?;
        line.runs = true;
        self.running += 1;
        self.waiting -= 1;
        Some(turn)
    }

    /// The turn that ran in `topic` has ended.
    pub(crate) fn done(&mut self, topic: &Topic) {
        let Some(line) = self.lines.get_mut(topic).filter(|line| line.runs) else { return };
        line.runs = false;
        self.running -= 1;
        if line.waiting.is_empty() {
            self.lines.remove(topic);
        } else {
            self.make_ready(topic);
        }
    }

    /// Take the first turn out of the line of `topic` that is the one meant.
    pub(crate) fn remove(&mut self, topic: &Topic, is: impl Fn(&T) -> bool) -> Option<T> {
        let line = self.lines.get_mut(topic)?;
        let at = line.waiting.iter().position(|(_, turn)| is(turn))?;
        let (user, turn) = line.waiting.remove(at)?;
        self.waiting -= 1;
        if at == 0 && !line.runs {
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

    /// Take out every turn that is meant, of those first in their lines until one is not.
    pub(crate) fn remove_first(&mut self, is: impl Fn(&T) -> bool) -> Vec<T> {
        let first = |line: &Line<T>| line.waiting.front().is_some_and(|(_, turn)| is(turn));
        let due: Vec<_> =
            self.lines.iter().filter(|it| first(it.1)).map(|it| it.0.clone()).collect();
        let mut removed = Vec::new();
        for topic in due {
            while self.lines.get(&topic).is_some_and(first) {
                removed.extend(self.remove(&topic, |_| true));
            }
        }
        removed
    }

    /// The first turn of `topic` could start.
    fn make_ready(&mut self, topic: &Topic) {
        let first = self.lines.get(topic).and_then(|line| line.waiting.front());
        let Some((user, _)) = first else { return };
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

#[cfg(test)]
mod tests;
