//! One topic's log: a bounded ring of records, and the readers that follow it.
//!
//! A reader is in one of three places: *parked* in the log, because it has read everything; in its
//! mailbox, because there is more; or being read. A publish takes the whole list of parked readers
//! in one move and rings them outside of the lock, and a reader parks itself again when it reaches
//! the end. So appending, joining and leaving cost the same whatever the audience, and readers that
//! are awake already cost a publisher nothing.
use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use crate::{
    Close, Draft, Event, OnSlow, Policy, Position, Topic,
    budget::Budget,
    event::Record,
    inbox::{Delivery, Gap, Mailbox, Room, Since, Tag},
    pace::Pace,
    survivors::{Survivor, Survivors},
    sync::{Mutex, lock},
    telemetry,
};

#[derive(Debug)]
pub(crate) struct Log {
    topic: Topic,
    policy: Policy,
    budget: Arc<Budget>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    epoch: u64,
    /// Counts how often the log started over; epochs may come back.
    life: u64,
    /// The ring holds the offsets `next - ring.len() .. next`.
    next: u64,
    ring: VecDeque<Record>,
    bytes: usize,
    /// What is left of evicted records; only under [`OnSlow::Coalesce`].
    survivors: Option<Box<Survivors>>,
    readers: usize,
    parked: Vec<Arc<Reader>>,
    /// Counts how often the parked readers were taken; a reader is parked if it parked this round.
    round: u64,
    pace: Pace,
    touched: Instant,
    /// The hub has dropped this log: look the topic up again.
    expired: bool,
}

/// A cursor into a log. The fields from `life` on are touched under the log's lock only, and atomic
/// for no other reason than that the compiler cannot see this.
#[derive(Debug)]
pub(crate) struct Reader {
    log: Arc<Log>,
    mailbox: Arc<Mailbox>,
    tag: AtomicU32,
    /// What a coalescing log had for the reader and its last batch had no room for.
    rest: Mutex<VecDeque<Record>>,
    life: AtomicU64,
    /// Offset of the next record to read.
    cursor: AtomicU64,
    round: AtomicU64,
    slot: AtomicUsize,
    laggard: AtomicBool,
    /// Joined after records it asked for were gone: the gap is its absence, not its slowness.
    absent: AtomicBool,
    left: AtomicBool,
}

/// Copies of everything from some offset on that a coalescing log still has.
struct Backlog {
    /// How many records there were.
    span: u64,
    lost: bool,
    survivors: Vec<(u64, Survivor)>,
    records: Vec<Record>,
}

/// What an append did.
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) at: Position,
    pub(crate) readers: usize,
    /// The publisher should wait, see [`Log::paced`].
    pub(crate) crowded: bool,
}

/// A topic as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub topic: Topic,
    /// The position of the newest record.
    pub at: Position,
    /// Connections of this node that follow it.
    pub readers: usize,
    /// Records held, and what they count against the bound in bytes.
    pub records: usize,
    pub bytes: usize,
}

// === impl Log ===

impl Log {
    pub(crate) fn new(topic: Topic, policy: Policy, epoch: u64, budget: Arc<Budget>) -> Self {
        let survivors = (policy.on_slow == OnSlow::Coalesce).then(Box::default);
        let state = State {
            epoch,
            life: 0,
            next: 1,
            ring: VecDeque::new(),
            bytes: 0,
            survivors,
            readers: 0,
            parked: Vec::new(),
            round: 1,
            pace: Pace::default(),
            touched: Instant::now(),
            expired: false,
        };
        Self { topic, policy, budget, state: Mutex::new(state) }
    }

    /// Append and wake whoever has read everything. Gives the draft back if the log is expired.
    pub(crate) fn append(&self, draft: Draft) -> Result<Appended, Box<Draft>> {
        let mut state = lock(&self.state);
        if state.expired {
            return Err(Box::new(draft));
        }
        let at = Position { epoch: state.epoch, offset: state.next };
        let record = Record::new(Event::new(draft, at));
        let (crowded, woken) = state.push(record, &self.policy, &self.budget);
        let readers = state.readers;
        drop(state); // order lives in the ring, so the bells need no lock
        ring(woken);
        Ok(Appended { at, readers, crowded })
    }

    /// Take in a record that another node has put in its place. A duplicate is ignored; after a
    /// hole, or in another epoch, every reader sees a gap. False if the log is expired.
    pub(crate) fn accept(&self, record: &Record) -> bool {
        let mut state = lock(&self.state);
        if state.expired {
            return false;
        }
        let at = record.at;
        let mut woken = Vec::new();
        if at.epoch != state.epoch {
            woken = state.restart(at.epoch, at.offset, &self.budget);
        } else if at.offset < state.next {
            return true;
        } else if at.offset > state.next {
            state.skip_to(at.offset, &self.budget);
        }
        let (_, more) = state.push(Record::clone(record), &self.policy, &self.budget);
        drop(state);
        ring(woken);
        ring(more);
        true
    }

    /// Continuity is lost: forget everything, so that every reader sees a gap.
    pub(crate) fn reset(&self, epoch: u64) {
        let mut state = lock(&self.state);
        let woken = state.restart(epoch, 1, &self.budget);
        drop(state);
        ring(woken);
    }

    /// Wait until the readers are near enough. Give up when none of them came by within the policy's
    /// patience, or when they come by so slowly that it takes [`Self::PATIENCES`] of it.
    pub(crate) async fn paced(&self) {
        let (mark, mut behind) = lock(&self.state).pace.wanted();
        for _ in 0..Self::PATIENCES {
            let clear = poll_fn(|cx| lock(&self.state).pace.poll_clear(mark, cx));
            if tokio::time::timeout(self.policy.patience, clear).await.is_ok() {
                return telemetry::publisher_waited(false);
            }
            let (_, left) = lock(&self.state).pace.wanted();
            if left >= behind {
                break;
            }
            behind = left;
        }
        lock(&self.state).pace.give_up(mark);
        telemetry::publisher_waited(true);
    }

    /// How many times the patience a publisher waits at most for readers that do come by.
    const PATIENCES: usize = 25;

    pub(crate) fn topic(&self) -> &Topic {
        &self.topic
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Where the log stands: the position of its newest record.
    pub(crate) fn top(&self) -> Position {
        lock(&self.state).top()
    }

    pub(crate) fn standing(&self) -> Standing {
        let state = lock(&self.state);
        Standing {
            topic: self.topic.clone(),
            at: state.top(),
            readers: state.readers,
            records: state.ring.len(),
            bytes: state.bytes,
        }
    }

    /// Up to `limit` records, whether any before them are gone, and where the log stands.
    pub(crate) fn history(&self, since: Since, limit: usize) -> (bool, Vec<Record>, Position) {
        let state = lock(&self.state);
        let from = match since {
            Since::Now => state.next - (limit.min(state.ring.len()) as u64),
            since => state.cursor(since),
        };
        let gap = from < state.floor();
        let records = state.from(from).take(limit).cloned().collect();
        (gap, records, state.top())
    }

    /// Add a reader; `None` if the log is expired.
    pub(crate) fn join(
        self: &Arc<Self>,
        since: Since,
        tag: Tag,
        mailbox: &Arc<Mailbox>,
    ) -> Option<(Arc<Reader>, Position)> {
        let mut state = lock(&self.state);
        if state.expired {
            return None;
        }
        let cursor = state.cursor(since);
        let reader = Arc::new(Reader {
            log: Arc::clone(self),
            mailbox: Arc::clone(mailbox),
            tag: tag.into(),
            rest: Mutex::new(VecDeque::new()),
            life: state.life.into(),
            cursor: cursor.into(),
            round: 0.into(),
            slot: 0.into(),
            laggard: (cursor < state.next).into(),
            absent: (cursor < state.floor()).into(),
            left: false.into(),
        });
        state.readers += 1;
        let top = state.top();
        if cursor < state.next {
            state.pace.joined_late();
            drop(state);
            reader.ring();
        } else {
            state.park(&reader);
        }
        Some((reader, top))
    }

    /// Expire the log if nobody reads it and it was not touched since `before`. True only once: the
    /// caller, who holds the hub's lock on the topic, has to remove it.
    pub(crate) fn expire(&self, before: Option<Instant>) -> bool {
        let mut state = lock(&self.state);
        let idle = state.readers == 0 && before.is_some_and(|before| state.touched <= before);
        if !idle || state.expired {
            return false;
        }
        state.expired = true;
        state.forget(&self.budget);
        true
    }

    /// When the log was last used, if nobody reads it.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let state = lock(&self.state);
        (state.readers == 0).then_some(state.touched)
    }
}

fn ring(woken: Vec<Arc<Reader>>) {
    woken.into_iter().for_each(Reader::ring_owned);
}

// === impl State ===

impl State {
    fn floor(&self) -> u64 {
        self.next - self.ring.len() as u64
    }

    fn top(&self) -> Position {
        Position { epoch: self.epoch, offset: self.next - 1 }
    }

    /// The records from `offset` on that are still held.
    fn from(&self, offset: u64) -> impl Iterator<Item = &Record> {
        let skip = offset.saturating_sub(self.floor());
        self.ring.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX))
    }

    fn cursor(&self, since: Since) -> u64 {
        match since {
            Since::Now => self.next,
            Since::Start => self.floor(),
            Since::After(at) if at.epoch == self.epoch && at.offset < self.next => at.offset + 1,
            // Another epoch, or a position from the future: no record is at 0, so it is a gap.
            Since::After(_) => 0,
        }
    }

    /// Append `record`, which is at `next`; evict what is over a bound; take the parked readers.
    fn push(
        &mut self,
        record: Record,
        policy: &Policy,
        budget: &Budget,
    ) -> (bool, Vec<Arc<Reader>>) {
        let size = record.size();
        self.bytes += size;
        let mut over = budget.take(size);
        self.ring.push_back(record);
        self.next += 1;
        while self.ring.len() > 1
            && (self.ring.len() > policy.events || self.bytes > policy.bytes || over)
        {
            let Some(old) = self.ring.pop_front() else { break };
            self.bytes -= old.size();
            over = budget.give(old.size());
            if let Some(survivors) = &mut self.survivors {
                survivors.push(old);
                survivors.bound(policy.events, policy.bytes);
            }
        }
        self.touched = Instant::now();
        // Large records fill the ring before there are as many as it may hold.
        let tight = self.bytes * 2 > policy.bytes;
        let capacity = if tight { self.ring.len() } else { policy.events };
        let crowded =
            !policy.patience.is_zero() && self.pace.appended(self.next, capacity, self.readers);
        telemetry::published();
        (crowded, self.take_parked())
    }

    fn take_parked(&mut self) -> Vec<Arc<Reader>> {
        self.round += 1;
        mem::take(&mut self.parked)
    }

    fn park(&mut self, reader: &Arc<Reader>) {
        reader.round.store(self.round, Relaxed);
        reader.slot.store(self.parked.len(), Relaxed);
        self.parked.push(Arc::clone(reader));
    }

    fn unpark(&mut self, reader: &Reader) {
        if reader.round.load(Relaxed) == self.round {
            let slot = reader.slot.load(Relaxed);
            self.parked.swap_remove(slot);
            if let Some(moved) = self.parked.get(slot) {
                moved.slot.store(slot, Relaxed);
            }
        }
    }

    /// Whether a reader at `cursor` gets survivors instead of records: the ring has moved past it,
    /// or it has more than a quarter log to read, which is when publishers begin to wait.
    fn is_behind(&self, cursor: u64, policy: &Policy) -> bool {
        cursor < self.floor() || self.next - cursor > policy.events as u64 / 4 + 1
    }

    fn backlog(&self, cursor: u64) -> Backlog {
        let evicted = self.survivors.as_ref().filter(|_| cursor < self.floor());
        let (lost, survivors) = evicted.map(|it| it.since(cursor)).unwrap_or_default();
        let records = self.from(cursor).cloned().collect();
        Backlog { span: self.next - cursor, lost, survivors, records }
    }

    fn forget(&mut self, budget: &Budget) {
        budget.give(self.bytes);
        self.bytes = 0;
        self.ring.clear();
        if let Some(survivors) = &mut self.survivors {
            **survivors = Survivors::default();
        }
    }

    fn restart(&mut self, epoch: u64, next: u64, budget: &Budget) -> Vec<Arc<Reader>> {
        self.skip_to(next, budget);
        self.epoch = epoch;
        self.life += 1;
        self.pace.restarted(next, self.readers);
        self.take_parked()
    }

    /// Go on at `next`; what was before is gone.
    fn skip_to(&mut self, next: u64, budget: &Budget) {
        self.forget(budget);
        self.next = next;
        if let Some(survivors) = &mut self.survivors {
            survivors.lose_until(next - 1);
        }
    }
}

// === impl Reader ===

impl Reader {
    fn ring(self: &Arc<Self>) {
        Arc::clone(self).ring_owned();
    }

    fn ring_owned(self: Arc<Self>) {
        let mailbox = Arc::clone(&self.mailbox);
        mailbox.put(self);
    }

    pub(crate) fn topic(&self) -> &Topic {
        &self.log.topic
    }

    /// Deliver under another tag from now on. Gives the position before the next record, to resume
    /// from; one that is in no log if the log started over and the reader has yet to be told.
    pub(crate) fn retag(&self, tag: Tag) -> Position {
        self.tag.store(tag, Relaxed);
        let state = lock(&self.log.state);
        let first = lock(&self.rest).front().map(|record| record.at.offset);
        match first.unwrap_or_else(|| self.position(&state)) {
            0 => Position { epoch: 0, offset: 0 },
            next => Position { epoch: state.epoch, offset: next - 1 },
        }
    }

    pub(crate) fn leave(self: &Arc<Self>) {
        let mut state = lock(&self.log.state);
        if self.left.swap(true, Relaxed) {
            return;
        }
        state.unpark(self);
        state.readers -= 1;
        state.touched = Instant::now();
        let at = self.position(&state);
        state.pace.left(self.laggard.load(Relaxed), at);
    }

    /// The cursor, or 0 if the log has started over: before every record, and the pace's line.
    fn position(&self, state: &State) -> u64 {
        if self.life.load(Relaxed) == state.life { self.cursor.load(Relaxed) } else { 0 }
    }

    /// Move records into `out` while there is `room`. True when the reader must be read again,
    /// false when it is parked or has left.
    pub(crate) fn read(self: &Arc<Self>, room: &mut Room, out: &mut Vec<Delivery>) -> bool {
        let mut state = lock(&self.log.state);
        if self.left.load(Relaxed) {
            return false;
        }
        let tag = self.tag.load(Relaxed);
        if self.take_rest(room, tag, out) {
            return true;
        }
        let old = self.position(&state);
        let absent = self.absent.swap(false, Relaxed);
        let policy = &self.log.policy;
        let mut cursor = old;
        let mut behind = None;
        if policy.on_slow == OnSlow::Coalesce && old > 0 && state.is_behind(old, policy) {
            behind = Some(state.backlog(old));
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
        if let Some(backlog) = behind {
            let at = Position { epoch: state.epoch, offset: old - 1 };
            drop(state);
            self.coalesce(backlog, at, tag, out);
            self.take_rest(room, tag, out);
            return true;
        }
        let more = cursor < next;
        if !more {
            state.park(self);
        }
        more
    }

    /// Deliver what the last batch had no room for. True if there was anything.
    fn take_rest(&self, room: &mut Room, tag: Tag, out: &mut Vec<Delivery>) -> bool {
        let mut rest = lock(&self.rest);
        if rest.is_empty() {
            return false;
        }
        while let Some(record) = rest.pop_front_if(|record| room.take(record.size())) {
            out.push(Delivery::Record(record, tag));
        }
        if rest.is_empty() {
            *rest = VecDeque::new();
        }
        true
    }

    /// What is worth telling a reader that has read up to `at`, from copies, without the lock.
    fn coalesce(&self, backlog: Backlog, at: Position, tag: Tag, out: &mut Vec<Delivery>) {
        if backlog.lost {
            out.push(self.gap(None, at, tag, "slow"));
        }
        let mut all = Survivors::default();
        backlog.survivors.into_iter().for_each(|(offset, survivor)| all.take(offset, survivor));
        backlog.records.into_iter().for_each(|record| all.keep(record));
        let mut rest = lock(&self.rest);
        rest.extend(all.records());
        telemetry::coalesced(backlog.span - rest.len() as u64);
    }

    fn gap(&self, missed: Option<u64>, at: Position, tag: Tag, cause: &'static str) -> Delivery {
        telemetry::gap(cause, missed);
        Delivery::Gap(Box::new(Gap { topic: self.topic().clone(), missed, at }), tag)
    }
}
