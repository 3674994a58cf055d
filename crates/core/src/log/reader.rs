//! A reader's place in a log, and what it is given when its turn comes.
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use super::{Log, State, state::Backlog};
use crate::{
    Close, Holder, OnSlow, Position, Topic,
    budget::Copied,
    event::Record,
    inbox::{BatchLimit, Delivery, Gap, Mailbox, Tag},
    survivors::Survivors,
    sync::{Mutex, lock},
    telemetry,
};

/// A cursor into a log. The fields from `life` on are touched under the log's lock only, and atomic
/// for no other reason than that the compiler cannot see this.
#[derive(Debug)]
pub(crate) struct Reader {
    log: Arc<Log>,
    mailbox: Arc<Mailbox>,
    tag: AtomicU32,
    /// What a coalescing log had for the reader and its last batch had no room for.
    rest: Mutex<Rest>,
    life: AtomicU64,
    /// Offset of the next record to read.
    cursor: AtomicU64,
    pub(super) round: AtomicU64,
    pub(super) slot: AtomicUsize,
    /// Where it is among the followers.
    pub(super) seat: AtomicUsize,
    laggard: AtomicBool,
    /// Joined after records it asked for were gone: the gap is its absence, not its slowness.
    absent: AtomicBool,
    left: AtomicBool,
}

/// Records that are no longer where the cursor is, and their count against the bytes of all logs.
#[derive(Debug, Default)]
struct Rest {
    records: VecDeque<Record>,
    copied: Option<Copied>,
}

// === impl Reader ===

impl Reader {
    /// A reader that has the record at `cursor` coming.
    pub(super) fn new(
        log: &Arc<Log>,
        mailbox: &Arc<Mailbox>,
        tag: Tag,
        cursor: u64,
        state: &State,
    ) -> Self {
        Self {
            log: Arc::clone(log),
            mailbox: Arc::clone(mailbox),
            tag: tag.into(),
            rest: Mutex::default(),
            life: state.life.into(),
            cursor: cursor.into(),
            round: 0.into(),
            slot: 0.into(),
            seat: 0.into(),
            laggard: (cursor < state.next).into(),
            absent: (cursor < state.floor()).into(),
            left: false.into(),
        }
    }

    pub(super) fn ring(self: &Arc<Self>) {
        Arc::clone(self).ring_owned();
    }

    pub(super) fn ring_owned(self: Arc<Self>) {
        let mailbox = Arc::clone(&self.mailbox);
        mailbox.put(self);
    }

    /// The client that follows.
    pub(super) fn holder(&self) -> Holder {
        self.mailbox.holder()
    }

    pub(crate) fn topic(&self) -> &Topic {
        &self.log.topic
    }

    pub(crate) fn tag(&self) -> Tag {
        self.tag.load(Relaxed)
    }

    /// Deliver under another tag from now on. Gives the position before the next record, to resume
    /// from; one that is in no log if the log started over and the reader has yet to be told.
    /// `None` if the topic was deleted.
    pub(crate) fn retag(&self, tag: Tag) -> Option<Position> {
        let state = lock(&self.log.state);
        if state.expired {
            return None;
        }
        self.tag.store(tag, Relaxed);
        let first = lock(&self.rest).records.front().map(|record| record.at.offset);
        Some(match first.unwrap_or_else(|| self.position(&state)) {
            0 => Position { epoch: 0, offset: 0 },
            next => Position { epoch: state.epoch, offset: next - 1 },
        })
    }

    pub(crate) fn leave(self: &Arc<Self>) {
        self.leave_from(&mut lock(&self.log.state));
    }

    fn leave_from(&self, state: &mut State) {
        if self.left.swap(true, Relaxed) {
            return;
        }
        state.unpark(self);
        state.unfollow(self);
        state.touched = Instant::now();
        let at = self.position(state);
        state.pace.left(self.laggard.load(Relaxed), at);
        if state.expired && state.followers.is_empty() {
            state.forget();
        }
    }

    /// The cursor, or 0 if the log has started over: before every record, and the pace's line.
    fn position(&self, state: &State) -> u64 {
        if self.life.load(Relaxed) == state.life { self.cursor.load(Relaxed) } else { 0 }
    }

    /// Move records into `out` while there is `room`. True when the reader must be read again,
    /// false when it is parked or has left.
    pub(crate) fn read(self: &Arc<Self>, room: &mut BatchLimit, out: &mut Vec<Delivery>) -> bool {
        let mut state = lock(&self.log.state);
        if self.left.load(Relaxed) {
            return false;
        }
        let tag = self.tag();
        if self.take_rest(room, tag, out) {
            return true;
        }
        let old = self.position(&state);
        let absent = self.absent.swap(false, Relaxed);
        let policy = &self.log.policy;
        let mut cursor = old;
        let mut behind = None;
        let coalesces = policy.on_slow == OnSlow::Coalesce && old > 0;
        if coalesces
            && state.is_behind(old, policy)
            && let Some(copied) = self.log.budget.copy(state.held())
        {
            behind = Some((state.backlog(old), copied));
            cursor = state.next;
        } else if old < state.floor() {
            if policy.on_slow == OnSlow::Disconnect && !absent && old > 0 {
                out.push(Delivery::End(Close::SLOW));
                room.fill();
            } else {
                let missed = (old > 0).then(|| state.floor() - old);
                let cause = if absent { "resume" } else { "slow" };
                let at = Position { epoch: state.epoch, offset: state.floor() - 1 };
                out.push(self.gap(missed, at, tag, cause));
            }
            cursor = state.floor();
        }
        for record in state.from(cursor) {
            if !room.take(record.size()) {
                break;
            }
            cursor += 1;
            out.push(Delivery::Record(Record::clone(record), tag));
        }
        self.life.store(state.life, Relaxed);
        self.cursor.store(cursor, Relaxed);
        let next = state.next;
        let laggard = state.pace.moved(self.laggard.load(Relaxed), old, cursor, next);
        self.laggard.store(laggard, Relaxed);
        if let Some((backlog, copied)) = behind {
            let at = Position { epoch: state.epoch, offset: old - 1 };
            drop(state);
            self.coalesce(backlog, copied, at, tag, out);
            self.take_rest(room, tag, out);
            return true;
        }
        let more = cursor < next;
        if !more && state.expired {
            self.leave_from(&mut state);
            out.push(Delivery::Deleted(self.topic().clone(), tag));
        } else if !more {
            state.park(self);
        }
        more
    }

    /// Deliver what the last batch had no room for. True if there was anything.
    fn take_rest(&self, room: &mut BatchLimit, tag: Tag, out: &mut Vec<Delivery>) -> bool {
        let mut rest = lock(&self.rest);
        if rest.records.is_empty() {
            return false;
        }
        while let Some(record) = rest.records.pop_front_if(|record| room.take(record.size())) {
            out.push(Delivery::Record(record, tag));
        }
        if rest.records.is_empty() {
            *rest = Rest::default();
        }
        true
    }

    /// What is worth telling a reader that has read up to `at`, from copies, without the lock.
    fn coalesce(
        &self,
        backlog: Backlog,
        copied: Copied,
        at: Position,
        tag: Tag,
        out: &mut Vec<Delivery>,
    ) {
        if backlog.lost {
            out.push(self.gap(None, at, tag, "slow"));
        }
        let mut all = Survivors::default();
        backlog.survivors.into_iter().for_each(|(offset, survivor)| all.take(offset, survivor));
        backlog.records.into_iter().for_each(|record| all.keep(record));
        let mut rest = lock(&self.rest);
        rest.records.extend(all.records());
        rest.copied = (!rest.records.is_empty()).then_some(copied);
        telemetry::coalesced(backlog.span - rest.records.len() as u64);
    }

    fn gap(&self, missed: Option<u64>, at: Position, tag: Tag, cause: &'static str) -> Delivery {
        telemetry::gap(cause, missed);
        Delivery::Gap(Box::new(Gap { topic: self.topic().clone(), missed, at }), tag)
    }
}
