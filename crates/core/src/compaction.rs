//! Compaction: what is left, for readers that have fallen behind, of the records that a coalescing
//! log evicted.
//!
//! Of each key the newest record is kept. The deltas of one turn are kept as one run of text, as
//! long as each starts where the one before ended, and its reasoning as another; a run can be entered
//! at any of its parts, so a reader that had the first half of a reply gets exactly the second.
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    Draft, Event, Position,
    budget::Budget,
    event::{EventKey, Record},
    turn::{Delta, TurnEvent, TurnKind},
};

/// The records that are kept, in the order of their offsets.
#[derive(Debug, Default)]
pub(crate) struct Compaction {
    by_offset: BTreeMap<u64, Compacted>,
    newest: HashMap<EventKey, u64>,
    bytes: usize,
    /// Counts what a log holds; a copy for one reader counts nothing here.
    budget: Option<Arc<Budget>>,
    /// Offset of the newest record that was neither kept nor superseded.
    lost: u64,
}

#[derive(Debug, Clone)]
pub(crate) enum Compacted {
    Record(Record),
    Run(DeltaRun),
}

/// Deltas of one turn's reply or thoughts, each following on the one before.
#[derive(Debug, Clone)]
pub(crate) struct DeltaRun {
    newest: Record,
    kind: TurnKind,
    whole: Delta,
    /// Where the text ends in the reply, in characters.
    end: u64,
    parts: Vec<DeltaPart>,
}

#[derive(Debug, Clone, Copy)]
struct DeltaPart {
    offset: u64,
    /// Where the part begins in the reply, in characters, and in the run's text, in bytes.
    start: u64,
    at: usize,
}

// === impl Compaction ===

/// Bytes of an entry besides its record: its places in the two maps.
const OVERHEAD: usize = 128;

impl Compaction {
    /// The compaction of a log. Its records are counted against `budget` already when they are taken
    /// in, and released when they go.
    pub(crate) fn of_log(budget: &Arc<Budget>) -> Self {
        Self { budget: Some(Arc::clone(budget)), ..Self::default() }
    }

    /// Bytes that the kept records take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Offset of the newest record that was neither kept nor superseded.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_offset.is_empty()
    }

    /// Drops all records; everything up to `offset` is lost.
    pub(crate) fn clear(&mut self, offset: u64) {
        while let Some((&first, _)) = self.by_offset.first_key_value() {
            if let Some(compacted) = self.remove(first) {
                self.release(compacted.newest());
            }
        }
        self.newest = HashMap::new();
        self.lost = self.lost.max(offset);
    }

    /// Takes in the next record, with or without a key.
    pub(crate) fn keep(&mut self, record: Record) {
        if record.key.is_some() {
            self.push(record);
        } else {
            self.insert(record.at.offset, Compacted::Record(record));
        }
    }

    /// Takes in the next record of the log; one without a key is lost.
    pub(crate) fn push(&mut self, record: Record) {
        let offset = record.at.offset;
        let Some(key) = record.key.clone() else {
            self.lost = offset;
            self.release(&record);
            return;
        };
        let previous = self.newest.get(&key).copied();
        let previous = previous.and_then(|at| Some((at, self.remove(at)?)));
        let compacted = match previous {
            Some((at, Compacted::Run(run))) => {
                let before = Record::clone(&run.newest);
                match run.join(&record) {
                    Ok(joined) => {
                        self.release(&before);
                        joined
                    }
                    Err(run) => {
                        self.insert(at, Compacted::Run(run));
                        Compacted::start(record)
                    }
                }
            }
            Some((_, Compacted::Record(superseded))) => {
                self.release(&superseded);
                Compacted::start(record)
            }
            None => Compacted::start(record),
        };
        self.insert(offset, compacted);
        self.newest.insert(key, offset);
    }

    /// Takes in an entry of [`Self::since`].
    pub(crate) fn take(&mut self, offset: u64, compacted: Compacted) {
        let key = compacted.newest().key.clone();
        self.insert(offset, compacted);
        if let Some(key) = key {
            self.newest.insert(key, offset);
        }
    }

    fn release(&self, record: &Record) {
        if self.budget.is_some() {
            record.release();
        }
    }

    fn insert(&mut self, offset: u64, compacted: Compacted) {
        self.bytes += compacted.size();
        if let Some(budget) = &self.budget {
            budget.take(compacted.extra());
        }
        self.by_offset.insert(offset, compacted);
    }

    fn remove(&mut self, offset: u64) -> Option<Compacted> {
        let compacted = self.by_offset.remove(&offset)?;
        self.bytes -= compacted.size();
        if let Some(budget) = &self.budget {
            budget.give(compacted.extra());
        }
        Some(compacted)
    }

    /// Drops the oldest until there are at most `records` and `bytes`.
    pub(crate) fn bound(&mut self, records: usize, bytes: usize) {
        while self.by_offset.len() > records || self.bytes > bytes {
            let Some((&offset, _)) = self.by_offset.first_key_value() else { return };
            if let Some(compacted) = self.remove(offset) {
                let key = compacted.newest().key.as_ref();
                if let Some(key) = key.filter(|key| self.newest.get(*key) == Some(&offset)) {
                    let key = key.clone();
                    self.newest.remove(&key);
                }
                self.release(compacted.newest());
            }
            self.lost = self.lost.max(offset);
        }
    }

    /// Whether any record from `cursor` on is lost without a trace, and the kept ones.
    pub(crate) fn since(&self, cursor: u64) -> (bool, Vec<(u64, Compacted)>) {
        let left = self.by_offset.range(cursor..);
        let left = left.map(|(&offset, compacted)| (offset, compacted.since(cursor)));
        (cursor <= self.lost, left.collect())
    }

    /// Every entry as a record, for a reader.
    pub(crate) fn records(self) -> impl Iterator<Item = Record> {
        self.by_offset.into_values().map(|compacted| match compacted {
            Compacted::Record(record) => record,
            Compacted::Run(run) => run.record(),
        })
    }
}

// === impl Compacted ===

impl Compacted {
    /// A delta is the first part of a run.
    fn start(record: Record) -> Self {
        let Some((kind, whole)) = delta(&record) else { return Self::Record(record) };
        let part = DeltaPart { offset: record.at.offset, start: whole.start, at: 0 };
        let end = after(&whole);
        Self::Run(DeltaRun { newest: record, kind, whole, end, parts: vec![part] })
    }

    /// The record, or the newest of the run.
    pub(crate) fn newest(&self) -> &Record {
        match self {
            Self::Record(record) => record,
            Self::Run(run) => &run.newest,
        }
    }

    fn size(&self) -> usize {
        self.newest().size() + self.extra()
    }

    /// Bytes besides the record.
    fn extra(&self) -> usize {
        let run = match self {
            Self::Record(_) => 0,
            Self::Run(run) => {
                run.whole.text.capacity() + run.parts.capacity() * size_of::<DeltaPart>()
            }
        };
        OVERHEAD + run
    }

    fn since(&self, cursor: u64) -> Self {
        match self {
            Self::Record(record) => Self::Record(Record::clone(record)),
            Self::Run(run) => Self::Run(run.since(cursor)),
        }
    }
}

// === impl DeltaRun ===

impl DeltaRun {
    /// The run with one more delta, or the run as it was if that does not follow on it.
    fn join(mut self, next: &Record) -> Result<Compacted, Self> {
        let Some((kind, delta)) = delta(next) else { return Err(self) };
        if kind != self.kind || delta.turn != self.whole.turn || delta.start != self.end {
            return Err(self);
        }
        let at = self.whole.text.len();
        self.parts.push(DeltaPart { offset: next.at.offset, start: delta.start, at });
        self.whole.text.push_str(&delta.text);
        self.end = after(&delta);
        self.newest = Record::clone(next);
        Ok(Compacted::Run(self))
    }

    fn since(&self, cursor: u64) -> Self {
        let from = self.parts.partition_point(|part| part.offset < cursor);
        let Some(first) = self.parts.get(from) else { return self.clone() };
        let text = self.whole.text.get(first.at..).unwrap_or_default().to_owned();
        let whole = Delta { turn: self.whole.turn, start: first.start, text };
        let rest = self.parts.get(from..).unwrap_or_default().iter();
        let parts = rest.map(|part| DeltaPart { at: part.at - first.at, ..*part }).collect();
        Self { newest: Record::clone(&self.newest), whole, parts, ..*self }
    }

    /// One delta in the place of the newest part.
    fn record(self) -> Record {
        if self.parts.len() == 1 {
            return self.newest;
        }
        let Position { epoch, offset } = self.newest.at;
        let whole = match self.kind {
            TurnKind::Reasoning => TurnEvent::Reasoning(self.whole),
            _ => TurnEvent::Delta(self.whole),
        };
        let draft: Draft = whole.draft(self.newest.topic.clone());
        let mut event = Event::new(draft, Position { epoch, offset });
        event.ts = self.newest.ts;
        Record::new(event)
    }
}

/// The part of a run that `record` is.
fn delta(record: &Event) -> Option<(TurnKind, Delta)> {
    match TurnEvent::of(record)? {
        TurnEvent::Delta(delta) => Some((TurnKind::Delta, delta)),
        TurnEvent::Reasoning(delta) => Some((TurnKind::Reasoning, delta)),
        _ => None,
    }
}

/// Where the next delta starts. No reply is so long that this begins again at zero, but a record
/// may say that it is.
fn after(delta: &Delta) -> u64 {
    delta.start.wrapping_add(delta.text.chars().count() as u64)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_start_at_the_end_of_all_numbers_is_harmless() {
        let mut compaction = Compaction::default();
        for (offset, start) in [(1, u64::MAX - 1), (2, 1), (3, u64::MAX)] {
            let delta =
                TurnEvent::Delta(Delta { turn: Uuid::nil(), start, text: "abc".to_owned() });
            let draft = delta.draft("user:7".parse().unwrap());
            compaction.push(Record::new(Event::new(draft, Position { epoch: 1, offset })));
        }
        let left = compaction
            .records()
            .map(|record| (record.at.offset, record.payload.contains("abcabc")));
        assert_eq!(left.collect::<Vec<_>>(), [(2, true), (3, false)]);
    }
}
