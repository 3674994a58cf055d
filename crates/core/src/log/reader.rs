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
    /// A reader whose next record is the one at `cursor`.
    pub(super) fn new(
        log: &Arc<Log>,
        mailbox: &Arc<ReaderMailbox>,
        tag: Tag,
        cursor: u64,
        ring: &Ring,
    ) -> Self {
        Self {
            log: Arc::clone(log),
            mailbox: Arc::clone(mailbox),
            tag: tag.into(),
            rest: Mutex::default(),
            cursor: cursor.into(),
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
            state.ring.clear();
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
        let State { ring, audience, backpressure, expired, .. } = &mut *state;
        let old = self.cursor.load(Relaxed);
        let absent = self.absent.swap(false, Relaxed);
        let policy = &self.log.policy;
        let mut cursor = old;
        let mut behind = None;
        let coalesces = policy.on_slow == OnSlow::Coalesce && old > 0;
        if coalesces
            && ring.is_behind(old, policy)
            && let Some(copied) = self.log.budget.copy(ring.held())
        {
            behind = Some((ring.backlog(old), copied));
            cursor = ring.next;
        } else if old < ring.floor() {
            if policy.on_slow == OnSlow::Disconnect && !absent && old > 0 {
                out.push(Delivery::End(Close::SLOW));
                limit.fill();
            } else {
                let missed = (old > 0).then(|| ring.floor() - old);
                let cause = if absent { "resume" } else { "slow" };
                let at = Position { epoch: ring.epoch, offset: ring.floor() - 1 };
                out.push(self.gap(missed, at, tag, cause));
            }
            cursor = ring.floor();
        }
        for record in ring.from(cursor) {
            if !limit.take(record.size()) {
                break;
            }
            cursor += 1;
            out.push(Delivery::Record(Record::clone(record), tag));
        }
        self.cursor.store(cursor, Relaxed);
        let next = ring.next;
        let lagging = backpressure.on_read(self.lagging.load(Relaxed), old, cursor, next);
        self.lagging.store(lagging, Relaxed);
        if let Some((backlog, copied)) = behind {
            let at = Position { epoch: ring.epoch, offset: old - 1 };
            drop(state);
            self.coalesce(backlog, copied, at, tag, out);
            self.take_rest(limit, tag, out);
            return true;
        }
        let more = cursor < next;
        if !more && *expired {
            self.leave_from(&mut state);
            out.push(Delivery::Deleted(self.topic().clone(), tag));
        } else if !more {
            audience.park(self);
        }
        more
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
        let mut all = Compaction::default();
        backlog.compacted.into_iter().for_each(|(offset, compacted)| all.take(offset, compacted));
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
