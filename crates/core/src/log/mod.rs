//! One topic's log: a bounded ring of records, and the readers that follow it.
//!
//! A reader is in one of three places: *parked* in the log, because it has read everything; in its
//! mailbox, because there is more; or being read. A publish takes the whole list of parked readers
//! in one move and wakes them outside of the lock, and a reader parks itself again when it reaches
//! the end. So appending, joining and leaving cost the same whatever the audience, and readers that
//! are awake already cost a publisher nothing.
mod audience;
mod reader;
mod ring;

use std::{future::poll_fn, sync::Arc, time::Instant};

use crate::{
    Draft, Event, Permit, Policy, Position, Shortage, Topic,
    backpressure::Backpressure,
    budget::Budget,
    delivery::{Since, Tag},
    document::{TurnDocument, TurnRecord},
    event::Record,
    sync::{Mutex, lock},
    telemetry,
};

pub(crate) use self::reader::{Reader, ReaderMailbox};
use self::{audience::Audience, ring::Ring};

#[derive(Debug)]
pub(crate) struct Log {
    topic: Topic,
    policy: Policy,
    budget: Arc<Budget>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    ring: Ring,
    /// The turn that runs.
    document: Option<Box<TurnDocument>>,
    /// The topic counts for the first of these.
    audience: Audience<Reader>,
    /// The place that the log holds among all topics.
    place: Option<Permit>,
    backpressure: Backpressure,
    touched: Instant,
    /// The hub has dropped this log: look the topic up again. Readers get the records that are
    /// left, and then the end.
    expired: bool,
}

/// The outcome of an append.
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) at: Position,
    pub(crate) readers: usize,
    /// The publisher should [wait](Log::wait_for_readers).
    pub(crate) crowded: bool,
}

/// A topic as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
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
        let state = State {
            ring: Ring::new(&policy, epoch, &budget),
            document: None,
            audience: Audience::default(),
            place: None,
            backpressure: Backpressure::default(),
            touched: Instant::now(),
            expired: false,
        };
        Self { topic, policy, budget, state: Mutex::new(state) }
    }

    /// Holds `place` among all topics until it expires.
    pub(crate) fn counted(self, place: Permit) -> Self {
        lock(&self.state).place = Some(place);
        self
    }

    /// Appends a record and wakes the parked readers. Gives the draft back if the log is expired.
    pub(crate) fn append(&self, draft: Draft) -> Result<Appended, Box<Draft>> {
        // Without the lock: a long text takes time.
        let turn = TurnRecord::of(&draft);
        let mut state = lock(&self.state);
        if state.expired {
            return Err(Box::new(draft));
        }
        let at = Position { epoch: state.ring.epoch, offset: state.ring.next };
        let record = Record::new(Event::new(draft, at));
        if let Some(turn) = turn {
            turn.fold(&mut state.document, &record, &self.budget);
        }
        let (crowded, parked) = state.push(record, &self.policy, &self.budget);
        let readers = state.audience.len();
        drop(state); // the ring has the order, so waking needs no lock
        wake(parked);
        Ok(Appended { at, readers, crowded })
    }

    /// Waits until the readers are near enough. Gives up when none of them came nearer within the
    /// policy's patience, or after [`Self::MAX_WAITS`] times that.
    pub(crate) async fn wait_for_readers(&self) {
        let (target, mut behind) = lock(&self.state).backpressure.target();
        for _ in 0..Self::MAX_WAITS {
            let reached = poll_fn(|cx| lock(&self.state).backpressure.poll_reached(target, cx));
            if tokio::time::timeout(self.policy.patience, reached).await.is_ok() {
                return telemetry::publisher_waited(false);
            }
            let (_, left) = lock(&self.state).backpressure.target();
            if left >= behind {
                break;
            }
            behind = left;
        }
        lock(&self.state).backpressure.give_up(target);
        telemetry::publisher_waited(true);
    }

    /// Upper bound on the wait of a publisher for readers that do come nearer, as a multiple of the
    /// patience.
    const MAX_WAITS: usize = 25;

    pub(crate) fn topic(&self) -> &Topic {
        &self.topic
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Where the log stands: the position of its newest record.
    pub(crate) fn top(&self) -> Position {
        lock(&self.state).ring.top()
    }

    pub(crate) fn standing(&self) -> TopicInfo {
        let state = lock(&self.state);
        TopicInfo {
            topic: self.topic.clone(),
            at: state.ring.top(),
            readers: state.audience.len(),
            records: state.ring.len(),
            bytes: state.ring.bytes(),
        }
    }

    /// Up to `limit` records, whether any before them are gone, and where the log stands. After the
    /// newest record of a turn that runs, and that began before all of these, comes its snapshot, unless
    /// the log reaches back to `since`.
    pub(crate) fn history(&self, since: Since, limit: usize) -> (bool, Vec<Record>, Position) {
        let State { ring, document, .. } = &mut *lock(&self.state);
        let from = match since {
            Since::Now => ring.next - (limit.min(ring.len()) as u64),
            since => ring.cursor(since),
        };
        let gap = from < ring.floor();
        let mut records: Vec<_> = ring.from(from).take(limit).cloned().collect();
        let is_late = gap || matches!(since, Since::Now | Since::Start);
        if let Some(document) = document.as_mut().filter(|_| is_late)
            && records.first().is_some_and(|record| record.at.offset > document.first())
            && let Ok(last) =
                records.binary_search_by_key(&document.last(), |record| record.at.offset)
        {
            records.insert(last + 1, document.snapshot());
        }
        (gap, records, ring.top())
    }

    /// Adds a reader; `None` if the log is expired. The first one needs room in its share of topics.
    /// Gives the end of the log; with [`Since::Now`] while a turn runs, the position before that turn,
    /// because a client that leaves before it has the snapshot needs all of it.
    pub(crate) fn join(
        self: &Arc<Self>,
        since: Since,
        tag: Tag,
        mailbox: &Arc<ReaderMailbox>,
    ) -> Result<Option<(Arc<Reader>, Position)>, Shortage> {
        let mut state = lock(&self.state);
        if state.expired {
            return Ok(None);
        }
        if state.audience.is_empty()
            && let Some(place) = &mut state.place
        {
            place.assign(&mailbox.holder())?;
        }
        let cursor = state.ring.cursor(since);
        let turn = state.document.as_ref().filter(|document| match since {
            Since::Now => true,
            Since::Start | Since::Fresh(_) => document.first() < cursor,
            Since::After(_) => false,
        });
        let first = turn.filter(|_| since != Since::Start).map(|document| document.first());
        let turn = turn.map(|document| document.turn());
        let reader = Arc::new(Reader::new(self, mailbox, tag, cursor, turn, &state.ring));
        state.audience.add(&reader);
        let Position { epoch, offset } = state.ring.top();
        let begin = Position { epoch, offset: first.map_or(offset, |first| first - 1) };
        let is_late = cursor < state.ring.next;
        if is_late {
            state.backpressure.on_late_join();
        }
        if is_late || turn.is_some() {
            drop(state);
            Arc::clone(&reader).wake();
        } else {
            state.audience.park(&reader);
        }
        Ok(Some((reader, begin)))
    }

    /// Expires the log if it has no readers, no turn runs in it and it was not touched since `before`. True only once: the
    /// caller, which holds the hub's lock on the topic, has to remove it.
    pub(crate) fn expire(&self, before: Option<Instant>) -> bool {
        let mut state = lock(&self.state);
        let idle = state.is_idle() && before.is_some_and(|before| state.touched <= before);
        if !idle || state.expired {
            return false;
        }
        state.expired = true;
        state.place = None;
        state.clear();
        true
    }

    /// Upper bound on the bytes that trimming the log frees.
    pub(crate) fn held(&self) -> usize {
        let state = lock(&self.state);
        state.ring.held() + state.document.as_ref().map_or(0, |document| document.spare())
    }

    /// Drops all records but the newest, or that one if it is all there is. Readers that have not
    /// read them see a gap. The document of a turn that runs stays.
    pub(crate) fn trim(&self) {
        let State { ring, document, .. } = &mut *lock(&self.state);
        ring.shrink();
        if let Some(document) = document {
            document.shrink();
        }
    }

    /// Ends the log of a deleted topic: readers get the records that are held, and then the end. The
    /// caller, which holds the hub's lock on the topic, has to remove the log, and then to wake the
    /// readers that this returns.
    pub(crate) fn delete(&self) -> Vec<Arc<Reader>> {
        let mut state = lock(&self.state);
        state.expired = true;
        if state.audience.is_empty() {
            state.clear();
        }
        state.audience.take_parked()
    }

    /// Drops the records of a deleted topic: readers that did not get them see a gap.
    pub(crate) fn clear(&self) {
        lock(&self.state).clear();
    }

    /// Time of the last use, if the log has no readers and no turn runs in it.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let state = lock(&self.state);
        state.is_idle().then_some(state.touched)
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.audience.is_empty() && self.document.is_none()
    }

    fn clear(&mut self) {
        self.ring.clear();
        self.document = None;
    }

    /// Appends `record`. Tells whether the publisher should wait, and gives the readers to wake.
    fn push(
        &mut self,
        record: Record,
        policy: &Policy,
        budget: &Arc<Budget>,
    ) -> (bool, Vec<Arc<Reader>>) {
        self.ring.push(record, policy, budget);
        self.touched = Instant::now();
        let (next, capacity) = (self.ring.next, self.ring.capacity(policy));
        let crowded = !policy.patience.is_zero()
            && self.backpressure.on_append(next, capacity, self.audience.len());
        telemetry::published();
        (crowded, self.audience.take_parked())
    }
}

/// Wakes the connections of `readers`.
pub(crate) fn wake(readers: Vec<Arc<Reader>>) {
    readers.into_iter().for_each(Reader::wake);
}
