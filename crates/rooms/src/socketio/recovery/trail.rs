//! What a client was shown, and so where another connection of it goes on.
use std::{
    collections::{HashMap, VecDeque},
    fmt,
};

use quadrille_core::{Position, Tag, Topic};
use uuid::Uuid;

use crate::socketio::own::{Form, Owned};

/// Runs that are remembered. A client that was sent more than these hold, and has them still to
/// come, is one that nobody knows any more.
const RUNS: usize = 1024;

/// What the packet that shows a record names it by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offset<'a>(pub(crate) &'a Topic, pub(crate) Position);

/// What one connection follows, and what it was shown of it.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// The offset of a client that was shown nothing yet: one from before this connection.
    begin: Option<Box<str>>,
    runs: VecDeque<Run>,
    /// Runs that are forgotten: the number of the first that is not.
    forgotten: u64,
    stands: HashMap<Topic, Stand>,
    /// The last turns that the client asked for itself.
    asked: VecDeque<(Uuid, Form)>,
}

/// Records of a topic that were shown with none of another topic between them.
#[derive(Debug)]
struct Run {
    topic: Topic,
    epoch: u64,
    first: u64,
    last: u64,
}

#[derive(Clone, Copy, Debug)]
struct Stand {
    tag: Tag,
    /// Where it stood before the run of this number.
    base: Position,
    since: u64,
}

/// Where a topic goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) topic: Topic,
    pub(crate) tag: Tag,
    pub(crate) after: Position,
}

impl fmt::Display for Offset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.1, self.0)
    }
}

// === impl Trail ===

impl Trail {
    pub(super) fn new(begin: Option<Box<str>>) -> Self {
        Self { begin, ..Self::default() }
    }

    /// A topic is followed, or is under another tag. `from` is where it stands now, if it was moved.
    pub(super) fn followed(&mut self, topic: &Topic, tag: Tag, from: Option<Position>) {
        let since = self.end();
        match (self.stands.get_mut(topic), from) {
            (Some(stand), None) => stand.tag = tag,
            (_, Some(base)) => {
                self.stands.insert(topic.clone(), Stand { tag, base, since });
            }
            (None, None) => {}
        }
    }

    pub(super) fn left(&mut self, topic: &Topic) {
        self.stands.remove(topic);
    }

    pub(super) fn asked(&mut self, turn: Uuid, form: Form) {
        if self.asked.len() == Owned::MAX {
            self.asked.pop_front();
        }
        self.asked.push_back((turn, form));
    }

    /// The record of `topic` at `at` was shown, in a packet that names it.
    pub(super) fn shown(&mut self, topic: &Topic, at: Position) {
        let end = self.end();
        let Some((topic, stand)) = self.stands.get_key_value(topic) else { return };
        if let Some(run) = self.runs.back_mut()
            && run.topic == *topic
            && run.epoch == at.epoch
            && run.last < at.offset
            && stand.since < end
        {
            run.last = at.offset;
            return;
        }
        let run = Run { topic: topic.clone(), epoch: at.epoch, first: at.offset, last: at.offset };
        if self.runs.len() == RUNS {
            self.forget_one();
        }
        self.runs.push_back(run);
    }

    fn forget_one(&mut self) {
        let Some(run) = self.runs.pop_front() else { return };
        if let Some(stand) = self.stands.get_mut(&run.topic)
            && stand.since <= self.forgotten
        {
            stand.base = run.at(run.last);
        }
        self.forgotten += 1;
    }

    /// The number of the next run.
    fn end(&self) -> u64 {
        self.forgotten + self.runs.len() as u64
    }

    pub(super) fn topics(&self) -> Vec<Topic> {
        self.stands.keys().cloned().collect()
    }

    /// Where each topic goes on for a client that has had everything up to `offset`; `None` if that
    /// is not known.
    pub(super) fn places(&self, offset: Option<&str>) -> Option<Vec<Place>> {
        let mut after: HashMap<_, _> = self.stands.iter().map(|(it, at)| (it, at.base)).collect();
        if self.forgotten > 0 || offset != self.begin.as_deref() {
            let (last, end) = self.find(offset?)?;
            for (n, run) in self.runs.iter().enumerate().take(last + 1) {
                let had = if n == last { end } else { run.last };
                let number = self.forgotten + n as u64;
                // What was shown before the topic was moved says nothing.
                if self.stands.get(&run.topic).is_some_and(|it| it.since <= number) {
                    after.insert(&run.topic, run.at(had));
                }
            }
        }
        let places = self.stands.iter().map(|(topic, stand)| Place {
            topic: topic.clone(),
            tag: stand.tag,
            after: after.get(topic).copied().unwrap_or(stand.base),
        });
        Some(places.collect())
    }

    /// The run that `offset` is in, and how far into it. Of two, the earlier one: rather twice than
    /// not at all.
    fn find(&self, offset: &str) -> Option<(usize, u64)> {
        let (at, topic) = offset.split_once(' ')?;
        let at: Position = at.parse().ok()?;
        let run = self.runs.iter().position(|run| {
            run.topic.as_str() == topic
                && run.epoch == at.epoch
                && (run.first..=run.last).contains(&at.offset)
        })?;
        Some((run, at.offset))
    }

    /// The last turns that the client asked for itself.
    pub(super) fn turns(&self) -> Vec<(Uuid, Form)> {
        self.asked.iter().copied().collect()
    }

    /// Take no more room than is needed: nothing will be added.
    pub(super) fn shrink(&mut self) {
        self.runs.shrink_to_fit();
        self.stands.shrink_to_fit();
        self.asked.shrink_to_fit();
    }

    /// The bytes that it takes, more or less.
    pub(super) fn size(&self) -> usize {
        let stands = self.stands.keys().map(|topic| {
            let entry = size_of::<(Topic, Stand)>();
            2 * entry + topic.as_str().len()
        });
        let runs = self.runs.capacity() * size_of::<Run>();
        let asked = self.asked.capacity() * size_of::<(Uuid, Form)>();
        size_of::<Self>() + runs + asked + stands.sum::<usize>()
    }
}

impl Run {
    fn at(&self, offset: u64) -> Position {
        Position { epoch: self.epoch, offset }
    }
}

#[cfg(test)]
mod tests;
