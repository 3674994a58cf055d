//! One topic's log: a bounded ring of records, and the readers that follow it.
//!
//! A reader is in one of three places: *parked* in the log, because it has read everything; in its
//! mailbox, because there is more; or being read. A publish takes the whole list of parked readers
//! in one move and rings them outside of the lock, and a reader parks itself again when it reaches
//! the end. So appending, joining and leaving cost the same whatever the audience, and readers that
//! are awake already cost a publisher nothing.
mod reader;
mod state;

use std::{collections::VecDeque, future::poll_fn, sync::Arc, time::Instant};

use crate::{
    Draft, Event, OnSlow, Permit, Policy, Position, Shortage, Topic,
    budget::Budget,
    event::Record,
    inbox::{Mailbox, Since, Tag},
    pace::Pace,
    survivors::Survivors,
    sync::{Mutex, lock},
    telemetry,
};

pub(crate) use self::reader::Reader;

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
    /// All readers, in no order. The topic counts for the first.
    followers: Vec<Arc<Reader>>,
    /// The place that the log holds among all topics.
    place: Option<Permit>,
    parked: Vec<Arc<Reader>>,
    /// Counts how often the parked readers were taken; a reader is parked if it parked this round.
    round: u64,
    pace: Pace,
    touched: Instant,
    /// The hub has dropped this log: look the topic up again. Its readers, if there are any, get what
    /// is left of it, and then the end.
    expired: bool,
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
        let survivors =
            (policy.on_slow == OnSlow::Coalesce).then(|| Box::new(Survivors::of_log(&budget)));
        let state = State {
            epoch,
            life: 0,
            next: 1,
            ring: VecDeque::new(),
            bytes: 0,
            survivors,
            followers: Vec::new(),
            place: None,
            parked: Vec::new(),
            round: 1,
            pace: Pace::default(),
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

    /// Append and wake whoever has read everything. Gives the draft back if the log is expired.
    pub(crate) fn append(&self, draft: Draft) -> Result<Appended, Box<Draft>> {
        let mut state = lock(&self.state);
        if state.expired {
            return Err(Box::new(draft));
        }
        let at = Position { epoch: state.epoch, offset: state.next };
        let record = Record::new(Event::new(draft, at));
        let (crowded, woken) = state.push(record, &self.policy, &self.budget);
        let readers = state.followers.len();
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
            woken = state.restart(at.epoch, at.offset);
        } else if at.offset < state.next {
            return true;
        } else if at.offset > state.next {
            state.skip_to(at.offset);
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
        let woken = state.restart(epoch, 1);
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

    pub(crate) fn standing(&self) -> TopicInfo {
        let state = lock(&self.state);
        TopicInfo {
            topic: self.topic.clone(),
            at: state.top(),
            readers: state.followers.len(),
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

    /// Adds a reader; `None` if the log is expired. The first one needs room in its share of topics.
    pub(crate) fn join(
        self: &Arc<Self>,
        since: Since,
        tag: Tag,
        mailbox: &Arc<Mailbox>,
    ) -> Result<Option<(Arc<Reader>, Position)>, Shortage> {
        let mut state = lock(&self.state);
        if state.expired {
            return Ok(None);
        }
        if state.followers.is_empty()
            && let Some(place) = &mut state.place
        {
            place.assign(&mailbox.holder())?;
        }
        let cursor = state.cursor(since);
        let reader = Arc::new(Reader::new(self, mailbox, tag, cursor, &state));
        state.follow(&reader);
        let top = state.top();
        if cursor < state.next {
            state.pace.joined_late();
            drop(state);
            reader.ring();
        } else {
            state.park(&reader);
        }
        Ok(Some((reader, top)))
    }

    /// Expire the log if nobody reads it and it was not touched since `before`. True only once: the
    /// caller, who holds the hub's lock on the topic, has to remove it.
    pub(crate) fn expire(&self, before: Option<Instant>) -> bool {
        let mut state = lock(&self.state);
        let idle =
            state.followers.is_empty() && before.is_some_and(|before| state.touched <= before);
        if !idle || state.expired {
            return false;
        }
        state.expired = true;
        state.place = None;
        state.forget();
        true
    }

    /// Bytes that trimming the log would free, at most: all that it holds, its newest record aside,
    /// and if there is nothing but that, the record.
    pub(crate) fn held(&self) -> usize {
        lock(&self.state).held()
    }

    /// Drops all records but the newest, or that one if it is all there is. Readers that have not
    /// read them see a gap.
    pub(crate) fn trim(&self) {
        let mut state = lock(&self.state);
        let more =
            state.ring.len() > 1 || state.survivors.as_ref().is_some_and(|it| !it.is_empty());
        if more { state.trim() } else { state.forget() }
    }

    /// The topic is deleted: readers get the records that are held, and then are told so. The caller,
    /// who holds the hub's lock on the topic, has to remove the log, and to wake the readers after.
    pub(crate) fn delete(&self) -> Vec<Arc<Reader>> {
        let mut state = lock(&self.state);
        state.expired = true;
        if state.followers.is_empty() {
            state.forget();
        }
        state.take_parked()
    }

    /// Hold the records of a deleted topic no longer: readers that did not get them see a gap.
    pub(crate) fn let_go(&self) {
        lock(&self.state).forget();
    }

    /// When the log was last used, if nobody reads it.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let state = lock(&self.state);
        state.followers.is_empty().then_some(state.touched)
    }
}

pub(crate) fn ring(woken: Vec<Arc<Reader>>) {
    woken.into_iter().for_each(Reader::ring_owned);
}
