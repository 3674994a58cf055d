//! A reader's place in a log, and its deliveries.
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Instant,
};

use uuid::Uuid;

use super::{
    Log, State,
    audience::ListPlaces,
    ring::{Backlog, Ring},
};
use crate::{
    Close, Holder, OnSlow, Position, Topic,
    budget::Copied,
    compaction::Compaction,
    delivery::{BatchLimit, Delivery, Gap, Tag},
    document::{self, TurnDocument},
    event::Record,
    mailbox,
    sync::{Mutex, lock},
    telemetry,
};

/// Where the readers of one connection wait to be read.
pub(crate) type ReaderMailbox = mailbox::Mailbox<Arc<Reader>>;

/// A cursor into a log. The fields from `cursor` on are touched under the log's lock only, and
/// atomic because the compiler cannot see this.
#[derive(Debug)]
pub(crate) struct Reader {
    log: Arc<Log>,
    mailbox: Arc<ReaderMailbox>,
    tag: AtomicU32,
    /// Coalesced records that the last batch had no room for.
    rest: Mutex<Rest>,
    /// Offset of the next record to read; 0 before any record, if the position to resume from is in
    /// another log.
    cursor: AtomicU64,
    /// The turn of which the reader has yet to get the snapshot. Until then it gets no part of it.
    missing: Mutex<Option<Uuid>>,
    places: ListPlaces,
    lagging: AtomicBool,
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

impl AsRef<ListPlaces> for Reader {
    fn as_ref(&self) -> &ListPlaces {
        &self.places
    }
}

// === impl ReaderMailbox ===

impl ReaderMailbox {
    /// Fills `out` from the readers that have something, up to `limit`; pending if there is none.
    pub(crate) fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        mut limit: BatchLimit,
        out: &mut Vec<Delivery>,
    ) -> Poll<()> {
        let before = out.len();
        while !limit.is_full() {
            let Some(reader) = self.next(cx) else { break };
            if reader.read(&mut limit, out) {
                self.put(reader);
            }
        }
        if out.len() == before { Poll::Pending } else { Poll::Ready(()) }
    }
}

// === impl Reader ===

impl Reader {
    /// A reader whose next record is the one at `cursor`, after a snapshot of the turn `missing`.
    pub(super) fn new(
        log: &Arc<Log>,
        mailbox: &Arc<ReaderMailbox>,
        tag: Tag,
        cursor: u64,
        missing: Option<Uuid>,
        ring: &Ring,
    ) -> Self {
        Self {
            log: Arc::clone(log),
            mailbox: Arc::clone(mailbox),
            tag: tag.into(),
            rest: Mutex::default(),
            cursor: cursor.into(),
            missing: Mutex::new(missing),
            places: ListPlaces::default(),
            lagging: (cursor < ring.next).into(),
            absent: (cursor < ring.floor()).into(),
            left: false.into(),
        }
    }

    /// Has the connection read this reader.
    pub(super) fn wake(self: Arc<Self>) {
        let mailbox = Arc::clone(&self.mailbox);
        mailbox.put(self);
    }

    pub(crate) fn topic(&self) -> &Topic {
        &self.log.topic
    }

    pub(crate) fn tag(&self) -> Tag {
        self.tag.load(Relaxed)
    }

    /// Delivers under another tag from now on. Gives the position before the next record, to resume
    /// from; one that is in no log if the reader has yet to be told of its gap. `None` if the topic
    /// was deleted.
    pub(crate) fn retag(&self, tag: Tag) -> Option<Position> {
        let state = lock(&self.log.state);
        if state.expired {
            return None;
        }
        self.tag.store(tag, Relaxed);
        let first = lock(&self.rest).records.front().map(|record| record.at.offset);
        Some(match first.unwrap_or_else(|| self.cursor.load(Relaxed)) {
            0 => Position { epoch: 0, offset: 0 },
            next => Position { epoch: state.ring.epoch, offset: next - 1 },
        })
    }

    pub(crate) fn leave(self: &Arc<Self>) {
        self.leave_from(&mut lock(&self.log.state));
    }

    fn leave_from(&self, state: &mut State) {
        if self.left.swap(true, Relaxed) {
            return;
        }
        let was_first = state.audience.remove(self);
        if let Some(place) = state.place.as_mut().filter(|_| was_first) {
            // The topic counts for another reader, or for no client after the last.
            let next = state.audience.first();
            place.pass_to(&next.map_or(Holder::Program, |reader| reader.mailbox.holder()));
        }
        state.touched = Instant::now();
        let at = self.cursor.load(Relaxed);
        state.backpressure.on_leave(self.lagging.load(Relaxed), at);
        if state.expired && state.audience.is_empty() {
            state.clear();
        }
    }

    /// Moves records into `out`, up to `limit`. True if the reader must be read again, false if it is
    /// parked or has left.
    pub(crate) fn read(self: &Arc<Self>, limit: &mut BatchLimit, out: &mut Vec<Delivery>) -> bool {
        let mut state = lock(&self.log.state);
        if self.left.load(Relaxed) {
            return false;
        }
        let tag = self.tag();
        if self.take_rest(limit, tag, out) {
            return true;
        }
        let State { ring, document, audience, backpressure, expired, .. } = &mut *state;
        let document = document.as_deref_mut();
        let old = self.cursor.load(Relaxed);
        let absent = self.absent.swap(false, Relaxed);
        let policy = &self.log.policy;
        let mut missing = lock(&self.missing);
        let mut cursor = old;
        let mut behind = None;
        let coalesces = policy.on_slow == OnSlow::Coalesce && old > 0;
        let size = document.as_ref().map_or(0, |document| document.size());
        if coalesces
            && ring.is_behind(old, policy)
            && let Some(copied) = self.log.budget.copy(ring.held() + size)
        {
            let mut backlog = ring.backlog(old);
            let is_broken = |document: &&mut TurnDocument| {
                *missing == Some(document.turn()) || backlog.lost >= Some(document.first())
            };
            let broken = document.filter(is_broken);
            let turn = broken.as_ref().map(|document| document.turn());
            backlog.turn = turn.or(missing.take());
            backlog.snapshot = broken.map(TurnDocument::snapshot);
            *missing = None;
            behind = Some((backlog, copied));
            cursor = ring.next;
        } else {
            if old < ring.floor() {
                let running =
                    document.as_ref().filter(|document| absent || document.first() < ring.floor());
                *missing = running.map(|document| document.turn());
                self.fall_behind(old, absent, missing.is_some(), ring, limit, out);
                cursor = ring.floor();
            }
            cursor = self.deliver(cursor, ring, document, &mut missing, limit, out);
        }
        self.cursor.store(cursor, Relaxed);
        let next = ring.next;
        let lagging = backpressure.on_read(self.lagging.load(Relaxed), old, cursor, next);
        self.lagging.store(lagging, Relaxed);
        let more = cursor < next || missing.is_some();
        drop(missing);
        if let Some((backlog, copied)) = behind {
            let at = Position { epoch: ring.epoch, offset: old - 1 };
            drop(state);
            self.coalesce(backlog, copied, at, out);
            self.take_rest(limit, tag, out);
            return true;
        }
        if !more && *expired {
            self.leave_from(&mut state);
            out.push(Delivery::Deleted(self.topic().clone(), tag));
        } else if !more {
            audience.park(self);
        }
        more
    }

    /// Tells that the ring has moved past `old`. A gap before a snapshot is where the reader was: if it
    /// resumes there, both come again, and never the rest of a text alone.
    fn fall_behind(
        &self,
        old: u64,
        absent: bool,
        is_snapshot_next: bool,
        ring: &Ring,
        limit: &mut BatchLimit,
        out: &mut Vec<Delivery>,
    ) {
        if self.log.policy.on_slow == OnSlow::Disconnect && !absent && old > 0 {
            out.push(Delivery::End(Close::SLOW));
            limit.fill();
            return;
        }
        let missed = (old > 0).then(|| ring.floor() - old);
        let cause = if absent { "resume" } else { "slow" };
        let next = if is_snapshot_next { old.max(1) } else { ring.floor() };
        let at = Position { epoch: ring.epoch, offset: next - 1 };
        out.push(self.gap(missed, at, self.tag(), cause));
    }

    /// Delivers records from `cursor` on, up to `limit`: those of a turn that is missing as one
    /// snapshot in the place of the newest. Gives the new cursor.
    fn deliver(
        &self,
        mut cursor: u64,
        ring: &Ring,
        mut document: Option<&mut TurnDocument>,
        missing: &mut Option<Uuid>,
        limit: &mut BatchLimit,
        out: &mut Vec<Delivery>,
    ) -> u64 {
        let tag = self.tag();
        let mut records = ring.from(cursor);
        loop {
            let turn = document.as_mut().filter(|document| *missing == Some(document.turn()));
            if let Some(turn) = turn.filter(|document| document.last() < cursor) {
                let snapshot = turn.snapshot();
                if !limit.take(snapshot.size()) {
                    break;
                }
                out.push(Delivery::Record(snapshot, tag));
                *missing = None;
            }
            let Some(record) = records.next() else { break };
            let is_part = missing.is_some_and(|turn| document::is_part(record, turn));
            if !is_part {
                if !limit.take(record.size()) {
                    return cursor;
                }
                out.push(Delivery::Record(Record::clone(record), tag));
                missing.take_if(|turn| document::is_end(record, *turn));
            }
            cursor += 1;
        }
        if document.is_none_or(|document| *missing != Some(document.turn())) {
            // It has ended, and its last record is gone, which is a gap.
            *missing = None;
        }
        cursor
    }

    /// Delivers the rest of the last batch. True if there was any.
    fn take_rest(&self, limit: &mut BatchLimit, tag: Tag, out: &mut Vec<Delivery>) -> bool {
        let mut rest = lock(&self.rest);
        if rest.records.is_empty() {
            return false;
        }
        while let Some(record) = rest.records.pop_front_if(|record| limit.take(record.size())) {
            out.push(Delivery::Record(record, tag));
        }
        if rest.records.is_empty() {
            *rest = Rest::default();
        }
        true
    }

    /// Coalesces the backlog of a reader that has read up to `at`, from copies, without the lock.
    fn coalesce(&self, backlog: Backlog, copied: Copied, at: Position, out: &mut Vec<Delivery>) {
        if backlog.lost.is_some() {
            out.push(self.gap(None, at, self.tag(), "slow"));
        }
        let is_part = |record: &Record, turn| document::is_part(record, turn);
        let is_kept = |record: &Record| !backlog.turn.is_some_and(|turn| is_part(record, turn));
        let mut all = Compaction::default();
        for (offset, compacted) in backlog.compacted {
            if is_kept(compacted.newest()) {
                all.take(offset, compacted);
            }
        }
        backlog.records.into_iter().filter(is_kept).for_each(|record| all.keep(record));
        if let Some(snapshot) = backlog.snapshot {
            all.keep(snapshot);
        }
        let mut rest = lock(&self.rest);
        rest.records.extend(all.records());
        rest.copied = (!rest.records.is_empty()).then_some(copied);
        telemetry::coalesced(backlog.span.saturating_sub(rest.records.len() as u64));
    }

    fn gap(&self, missed: Option<u64>, at: Position, tag: Tag, cause: &'static str) -> Delivery {
        telemetry::gap(cause, missed);
        Delivery::Gap(Box::new(Gap { topic: self.topic().clone(), missed, at }), tag)
    }
}
