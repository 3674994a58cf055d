//! Records that a client was shown, and the positions from which another connection resumes.
use std::{
    collections::{HashMap, VecDeque},
    fmt,
};

use quadrille_core::{Position, Tag, Topic};
use uuid::Uuid;

/// Runs that are kept. A client whose last offset is older than all of them cannot resume.
const RUNS: usize = 1024;

/// Notes that are kept for an application; of more, the oldest are dropped.
pub const NOTES: usize = 32;

/// Names the record that a packet shows.
#[derive(Clone, Copy, Debug)]
pub struct Offset<'a>(pub &'a Topic, pub Position);

/// Topics that one connection follows, and the records it was shown. Bounded by the runs and notes
/// kept, and by the topics followed.
#[derive(Debug, Default)]
pub(crate) struct DeliveryLog {
    /// The offset with which this connection began: that of a client that was shown nothing since.
    begin: Option<Box<str>>,
    runs: VecDeque<DeliveryRun>,
    /// Number of runs dropped, and so the number of the first that is kept.
    dropped: u64,
    checkpoints: HashMap<Topic, Checkpoint>,
    notes: VecDeque<(Uuid, Tag)>,
}

/// Records of a topic that were shown with none of another topic between them.
#[derive(Debug)]
struct DeliveryRun {
    topic: Topic,
    epoch: u64,
    first: u64,
    last: u64,
}

#[derive(Clone, Copy, Debug)]
struct Checkpoint {
    tag: Tag,
    /// Position of the topic before the run numbered `since`.
    base_position: Position,
    since: u64,
}

/// The position after which a topic resumes, and the tag under which it was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumePoint {
    pub topic: Topic,
    pub tag: Tag,
    pub after: Position,
}

impl fmt::Display for Offset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.1, self.0)
    }
}

// === impl DeliveryLog ===

impl DeliveryLog {
    pub(super) fn new(begin: Option<Box<str>>) -> Self {
        Self { begin, ..Self::default() }
    }

    /// Records that a topic is followed, or under another tag now. `from` is its position, if it
    /// was moved.
    pub(super) fn followed(&mut self, topic: &Topic, tag: Tag, from: Option<Position>) {
        let since = self.end();
        match (self.checkpoints.get_mut(topic), from) {
            (Some(checkpoint), None) => checkpoint.tag = tag,
            (_, Some(base_position)) => {
                self.checkpoints.insert(topic.clone(), Checkpoint { tag, base_position, since });
            }
            (None, None) => {}
        }
    }

    /// Records that a topic is not followed any more.
    pub(super) fn left(&mut self, topic: &Topic) {
        self.checkpoints.remove(topic);
    }

    /// Keeps a note for the application; the last [`NOTES`] are kept.
    pub(super) fn note(&mut self, id: Uuid, tag: Tag) {
        if self.notes.len() == NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back((id, tag));
    }

    /// Records that the client was shown the record of `topic` at `at`, in a packet with its
    /// offset.
    pub(super) fn shown(&mut self, topic: &Topic, at: Position) {
        let end = self.end();
        let Some((topic, checkpoint)) = self.checkpoints.get_key_value(topic) else { return };
        if let Some(run) = self.runs.back_mut()
            && run.topic == *topic
            && run.epoch == at.epoch
            && run.last < at.offset
            && checkpoint.since < end
        {
            run.last = at.offset;
            return;
        }
        let run = DeliveryRun {
            topic: topic.clone(),
            epoch: at.epoch,
            first: at.offset,
            last: at.offset,
        };
        if self.runs.len() == RUNS {
            self.drop_run();
        }
        self.runs.push_back(run);
    }

    fn drop_run(&mut self) {
        let Some(run) = self.runs.pop_front() else { return };
        if let Some(checkpoint) = self.checkpoints.get_mut(&run.topic)
            && checkpoint.since <= self.dropped
        {
            checkpoint.base_position = run.at(run.last);
        }
        self.dropped += 1;
    }

    /// The number of the next run.
    fn end(&self) -> u64 {
        self.dropped + self.runs.len() as u64
    }

    pub(super) fn topics(&self) -> Vec<Topic> {
        self.checkpoints.keys().cloned().collect()
    }

    /// The position after which each topic resumes for a client that got everything up to `offset`;
    /// `None` if the offset is unknown.
    pub(super) fn points(&self, offset: Option<&str>) -> Option<Vec<ResumePoint>> {
        let checkpoints = self.checkpoints.iter();
        let mut after: HashMap<_, _> =
            checkpoints.map(|(topic, checkpoint)| (topic, checkpoint.base_position)).collect();
        if self.dropped > 0 || offset != self.begin.as_deref() {
            let (last, end) = self.find(offset?)?;
            for (n, run) in self.runs.iter().enumerate().take(last + 1) {
                let had = if n == last { end } else { run.last };
                let number = self.dropped + n as u64;
                // Runs from before the topic was moved do not count.
                let checkpoint = self.checkpoints.get(&run.topic);
                if checkpoint.is_some_and(|checkpoint| checkpoint.since <= number) {
                    after.insert(&run.topic, run.at(had));
                }
            }
        }
        let points = self.checkpoints.iter().map(|(topic, checkpoint)| ResumePoint {
            topic: topic.clone(),
            tag: checkpoint.tag,
            after: after.get(topic).copied().unwrap_or(checkpoint.base_position),
        });
        Some(points.collect())
    }

    /// The index of the run that contains `offset`, and its number in the log. Of two runs, the
    /// earlier one: records are rather shown twice than not at all.
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

    pub(super) fn notes(&self) -> Vec<(Uuid, Tag)> {
        self.notes.iter().copied().collect()
    }

    /// Frees spare capacity. To be called once nothing will be added.
    pub(super) fn shrink(&mut self) {
        self.runs.shrink_to_fit();
        self.checkpoints.shrink_to_fit();
        self.notes.shrink_to_fit();
    }

    /// Approximate size in bytes.
    pub(super) fn size(&self) -> usize {
        let checkpoints = self.checkpoints.keys().map(|topic| {
            let entry = size_of::<(Topic, Checkpoint)>();
            2 * entry + topic.as_str().len()
        });
        let runs = self.runs.capacity() * size_of::<DeliveryRun>();
        let notes = self.notes.capacity() * size_of::<(Uuid, Tag)>();
        size_of::<Self>() + runs + notes + checkpoints.sum::<usize>()
    }
}

impl DeliveryRun {
    fn at(&self, offset: u64) -> Position {
        Position { epoch: self.epoch, offset }
    }
}

#[cfg(test)]
mod tests;
