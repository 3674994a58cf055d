//! The records of a log, within its bounds.
use std::{collections::VecDeque, sync::Arc};

use uuid::Uuid;

use crate::{
    OnSlow, Policy, Position,
    budget::Budget,
    compaction::{Compacted, Compaction},
    delivery::Since,
    event::Record,
};

/// The newest records of a log, with the offsets `next - len .. next`.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) epoch: u64,
    /// Offset of the next record.
    pub(super) next: u64,
    records: VecDeque<Record>,
    bytes: usize,
    /// The rest of evicted records; only under [`OnSlow::Coalesce`].
    compaction: Option<Box<Compaction>>,
}

/// Copies of everything from some offset on that a coalescing log still has.
pub(super) struct Backlog {
    /// Number of records that were published.
    pub(super) span: u64,
    /// Offset of the newest record that is lost, if any of them is.
    pub(super) lost: Option<u64>,
    pub(super) compacted: Vec<(u64, Compacted)>,
    pub(super) records: Vec<Record>,
    /// The turn whose parts are left out.
    pub(super) turn: Option<Uuid>,
    /// The record in their place.
    pub(super) snapshot: Option<Record>,
}

impl Ring {
    pub(super) fn new(policy: &Policy, epoch: u64, budget: &Arc<Budget>) -> Self {
        let coalesces = policy.on_slow == OnSlow::Coalesce;
        let compaction = coalesces.then(|| Box::new(Compaction::of_log(budget)));
        Self { epoch, next: 1, records: VecDeque::new(), bytes: 0, compaction }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Bytes of the records that are held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Offset of the oldest record that is held.
    pub(super) fn floor(&self) -> u64 {
        self.next - self.records.len() as u64
    }

    pub(super) fn top(&self) -> Position {
        Position { epoch: self.epoch, offset: self.next - 1 }
    }

    /// The records from `offset` on that are still held.
    pub(super) fn from(&self, offset: u64) -> impl Iterator<Item = &Record> {
        let skip = offset.saturating_sub(self.floor());
        self.records.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX))
    }

    /// Offset of the first record to read.
    pub(super) fn cursor(&self, since: Since) -> u64 {
        match since {
            Since::Now => self.next,
            Since::Start => self.floor(),
            Since::After(at) | Since::Fresh(at)
                if at.epoch == self.epoch && at.offset < self.next =>
            {
                at.offset + 1
            }
            // Another epoch, or a position from the future: no record is at 0, so it is a gap.
            Since::After(_) | Since::Fresh(_) => 0,
        }
    }

    /// Appends `record`, which is at `next`, and evicts the oldest over a bound.
    pub(super) fn push(&mut self, record: Record, policy: &Policy, budget: &Arc<Budget>) {
        self.bytes += record.size();
        let over = record.hold(budget);
        self.records.push_back(record);
        self.next += 1;
        if over {
            self.trim();
        }
        while self.records.len() > 1
            && (self.records.len() > policy.events || self.bytes > policy.bytes)
        {
            let Some(old) = self.records.pop_front() else { break };
            self.bytes -= old.size();
            match &mut self.compaction {
                Some(compaction) => {
                    compaction.push(old);
                    compaction.bound(policy.events, policy.bytes);
                }
                None => _ = old.release(),
            }
        }
    }

    /// Number of records that the ring can hold: fewer than the policy says if they are large.
    pub(super) fn capacity(&self, policy: &Policy) -> usize {
        let tight = self.bytes * 2 > policy.bytes;
        if tight { self.records.len() } else { policy.events }
    }

    /// Whether a reader at `cursor` gets compacted records: the ring has moved past it, or it has
    /// more than a quarter log to read, which is when publishers begin to wait.
    pub(super) fn is_behind(&self, cursor: u64, policy: &Policy) -> bool {
        cursor < self.floor() || self.next - cursor > policy.events as u64 / 4 + 1
    }

    pub(super) fn backlog(&self, cursor: u64) -> Backlog {
        let evicted = self.compaction.as_ref().filter(|_| cursor < self.floor());
        let (is_lost, compacted) =
            evicted.map(|compaction| compaction.since(cursor)).unwrap_or_default();
        let lost = evicted.map(|compaction| compaction.lost()).filter(|_| is_lost);
        let records = self.from(cursor).cloned().collect();
        Backlog { span: self.next - cursor, lost, compacted, records, turn: None, snapshot: None }
    }

    /// Bytes that an empty log would not hold, frames aside.
    pub(super) fn held(&self) -> usize {
        self.bytes + self.compaction.as_ref().map_or(0, |compaction| compaction.bytes())
    }

    /// Drops all records but the newest, or that one if it is all there is.
    pub(super) fn shrink(&mut self) {
        let has_compacted = self.compaction.as_ref().is_some_and(|all| !all.is_empty());
        if self.records.len() > 1 || has_compacted { self.trim() } else { self.clear() }
    }

    /// Drops every record.
    pub(super) fn clear(&mut self) {
        self.trim();
        if let Some(last) = self.records.pop_front() {
            last.release();
        }
        (self.records, self.bytes) = (VecDeque::new(), 0);
        self.clear_compaction();
    }

    /// Drops compacted records, and every record but the newest.
    fn trim(&mut self) {
        while self.records.len() > 1
            && let Some(old) = self.records.pop_front()
        {
            self.bytes -= old.size();
            old.release();
        }
        self.records.shrink_to_fit();
        self.clear_compaction();
    }

    fn clear_compaction(&mut self) {
        let gone = self.floor() - 1;
        if let Some(compaction) = &mut self.compaction {
            compaction.clear(gone);
        }
    }
}
