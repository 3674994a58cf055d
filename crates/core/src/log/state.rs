//! The ring of a log, under its lock.
use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use super::{Reader, State};
use crate::{
    Holder, Policy, Position, budget::Budget, event::Record, inbox::Since, survivors::Survivor,
    telemetry,
};

/// Copies of everything from some offset on that a coalescing log still has.
pub(super) struct Backlog {
    /// How many records there were.
    pub(super) span: u64,
    pub(super) lost: bool,
    pub(super) survivors: Vec<(u64, Survivor)>,
    pub(super) records: Vec<Record>,
}

impl State {
    pub(super) fn floor(&self) -> u64 {
        self.next - self.ring.len() as u64
    }

    pub(super) fn top(&self) -> Position {
        Position { epoch: self.epoch, offset: self.next - 1 }
    }

    /// The records from `offset` on that are still held.
    pub(super) fn from(&self, offset: u64) -> impl Iterator<Item = &Record> {
        let skip = offset.saturating_sub(self.floor());
        self.ring.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX))
    }

    pub(super) fn cursor(&self, since: Since) -> u64 {
        match since {
            Since::Now => self.next,
            Since::Start => self.floor(),
            Since::After(at) if at.epoch == self.epoch && at.offset < self.next => at.offset + 1,
            // Another epoch, or a position from the future: no record is at 0, so it is a gap.
            Since::After(_) => 0,
        }
    }

    /// Append `record`, which is at `next`; evict what is over a bound; take the parked readers.
    pub(super) fn push(
        &mut self,
        record: Record,
        policy: &Policy,
        budget: &Arc<Budget>,
    ) -> (bool, Vec<Arc<Reader>>) {
        self.bytes += record.size();
        let over = record.hold(budget);
        self.ring.push_back(record);
        self.next += 1;
        if over {
            self.trim();
        }
        while self.ring.len() > 1 && (self.ring.len() > policy.events || self.bytes > policy.bytes)
        {
            let Some(old) = self.ring.pop_front() else { break };
            self.bytes -= old.size();
            match &mut self.survivors {
                Some(survivors) => {
                    survivors.push(old);
                    survivors.bound(policy.events, policy.bytes);
                }
                None => _ = old.release(),
            }
        }
        self.touched = Instant::now();
        // Large records fill the ring before there are as many as it may hold.
        let tight = self.bytes * 2 > policy.bytes;
        let capacity = if tight { self.ring.len() } else { policy.events };
        let crowded = !policy.patience.is_zero()
            && self.pace.appended(self.next, capacity, self.followers.len());
        telemetry::published();
        (crowded, self.take_parked())
    }

    pub(super) fn take_parked(&mut self) -> Vec<Arc<Reader>> {
        self.round += 1;
        mem::take(&mut self.parked)
    }

    pub(super) fn park(&mut self, reader: &Arc<Reader>) {
        reader.round.store(self.round, Relaxed);
        reader.slot.store(self.parked.len(), Relaxed);
        self.parked.push(Arc::clone(reader));
    }

    pub(super) fn unpark(&mut self, reader: &Reader) {
        if reader.round.load(Relaxed) == self.round {
            let slot = reader.slot.load(Relaxed);
            self.parked.swap_remove(slot);
            if let Some(moved) = self.parked.get(slot) {
                moved.slot.store(slot, Relaxed);
            }
        }
    }

    pub(super) fn follow(&mut self, reader: &Arc<Reader>) {
        reader.seat.store(self.followers.len(), Relaxed);
        self.followers.push(Arc::clone(reader));
    }

    /// The topic counts for another follower if it counted for this one, and for nobody when this was
    /// the last.
    pub(super) fn unfollow(&mut self, reader: &Reader) {
        let seat = reader.seat.load(Relaxed);
        self.followers.swap_remove(seat);
        if let Some(moved) = self.followers.get(seat) {
            moved.seat.store(seat, Relaxed);
        }
        if let Some(place) = self.place.as_mut().filter(|_| seat == 0) {
            place.pass_to(&self.followers.first().map_or(Holder::Program, |it| it.holder()));
        }
        if self.followers.is_empty() {
            self.followers = Vec::new();
        }
    }

    /// Whether a reader at `cursor` gets survivors instead of records: the ring has moved past it,
    /// or it has more than a quarter log to read, which is when publishers begin to wait.
    pub(super) fn is_behind(&self, cursor: u64, policy: &Policy) -> bool {
        cursor < self.floor() || self.next - cursor > policy.events as u64 / 4 + 1
    }

    pub(super) fn backlog(&self, cursor: u64) -> Backlog {
        let evicted = self.survivors.as_ref().filter(|_| cursor < self.floor());
        let (lost, survivors) = evicted.map(|it| it.since(cursor)).unwrap_or_default();
        let records = self.from(cursor).cloned().collect();
        Backlog { span: self.next - cursor, lost, survivors, records }
    }

    /// Bytes that an empty log would not hold, frames aside.
    pub(super) fn held(&self) -> usize {
        self.bytes + self.survivors.as_ref().map_or(0, |it| it.bytes())
    }

    /// Drops what is left of evicted records, and every record but the newest.
    pub(super) fn trim(&mut self) {
        while self.ring.len() > 1
            && let Some(old) = self.ring.pop_front()
        {
            self.bytes -= old.size();
            old.release();
        }
        self.ring.shrink_to_fit();
        let gone = self.floor() - 1;
        if let Some(survivors) = &mut self.survivors {
            survivors.clear(gone);
        }
    }

    /// Drops every record.
    pub(super) fn forget(&mut self) {
        self.trim();
        if let Some(last) = self.ring.pop_front() {
            last.release();
        }
        (self.ring, self.bytes) = (VecDeque::new(), 0);
        let gone = self.next - 1;
        if let Some(survivors) = &mut self.survivors {
            survivors.clear(gone);
        }
    }

    pub(super) fn restart(&mut self, epoch: u64, next: u64) -> Vec<Arc<Reader>> {
        self.skip_to(next);
        self.epoch = epoch;
        self.life += 1;
        self.pace.restarted(next, self.followers.len());
        self.take_parked()
    }

    /// Go on at `next`; what was before is gone.
    pub(super) fn skip_to(&mut self, next: u64) {
        self.forget();
        self.next = next;
        if let Some(survivors) = &mut self.survivors {
            survivors.start_after(next - 1);
        }
    }
}
