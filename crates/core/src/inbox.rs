//! One connection's view: any number of topics, one place to wait.
use std::{
    collections::{HashMap, VecDeque},
    future::poll_fn,
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::{
    Close, Holder, Hub, Position, Topic,
    event::Record,
    hub::TooManyTopics,
    log::Reader,
    sync::{Mutex, lock},
};

/// A protocol's own note on a subscription; comes back with each delivery of it.
pub type Tag = u32;

/// Where a subscription starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// With the next record.
    Now,
    /// With the oldest record that is held.
    Start,
    /// With the record after this one.
    After(Position),
}

/// What a connection is to be told.
#[derive(Debug)]
pub enum Delivery {
    Record(Record, Tag),
    /// Records are gone for this subscriber; delivery goes on after it.
    Gap(Box<Gap>, Tag),
    /// The topic was deleted, and is followed no more. What was in its log came before this.
    Deleted(Topic, Tag),
    /// The connection is too slow for a topic that ends such connections.
    End(Close),
}

/// Records that a subscriber will not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub topic: Topic,
    /// How many; `None` when nobody can tell: the log started over, or coalesced them.
    pub missed: Option<u64>,
    /// Delivery goes on with the record after this one.
    pub at: Position,
}

/// How much a batch may hold: so many records, and so many bytes but for the last record.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimit {
    pub records: usize,
    pub bytes: usize,
}

impl BatchLimit {
    /// Make place for one record, if there is any room left.
    pub(crate) fn take(&mut self, size: usize) -> bool {
        let fits = self.records > 0 && self.bytes > 0;
        if fits {
            self.records -= 1;
            self.bytes = self.bytes.saturating_sub(size);
        }
        fits
    }

    pub(crate) fn fill(&mut self) {
        self.records = 0;
    }

    fn is_full(&self) -> bool {
        self.records == 0 || self.bytes == 0
    }
}

/// One connection's subscriptions, and where it waits for what they bring. Dropping it leaves them.
#[derive(Debug)]
pub struct Inbox {
    hub: Hub,
    mailbox: Arc<Mailbox>,
    readers: HashMap<Topic, Arc<Reader>>,
}

/// Readers with something to read. Holds each reader at most once, so it is bounded by the number
/// of subscriptions, and those ended since it was last emptied.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Mutex<Mail>);

#[derive(Debug, Default)]
struct Mail {
    ready: VecDeque<Arc<Reader>>,
    waker: Option<Waker>,
    closed: bool,
    /// The client that the topics count for; `None` for the gateway itself.
    holder: Option<Holder>,
}

// === impl Mailbox ===

impl Mailbox {
    /// The client that the topics count for.
    pub(crate) fn holder(&self) -> Holder {
        lock(&self.0).holder.clone().unwrap_or(Holder::Program)
    }

    pub(crate) fn put(&self, reader: Arc<Reader>) {
        let mut mail = lock(&self.0);
        if mail.closed {
            return;
        }
        mail.ready.push_back(reader);
        let waker = mail.waker.take();
        drop(mail);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The next reader that has something; `None` after having left the waker.
    fn next(&self, cx: &mut Context<'_>) -> Option<Arc<Reader>> {
        let mut mail = lock(&self.0);
        let next = mail.ready.pop_front();
        if next.is_none() && !mail.waker.as_ref().is_some_and(|it| it.will_wake(cx.waker())) {
            mail.waker = Some(cx.waker().clone());
        }
        next
    }

    pub(crate) fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        mut room: BatchLimit,
        out: &mut Vec<Delivery>,
    ) -> Poll<()> {
        let before = out.len();
        while !room.is_full() {
            let Some(reader) = self.next(cx) else { break };
            if reader.read(&mut room, out) {
                self.put(reader);
            }
        }
        if out.len() == before { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Drop what waits: readers and mailboxes hold each other.
    pub(crate) fn close(&self) {
        let mut mail = lock(&self.0);
        mail.closed = true;
        let ready = mem::take(&mut mail.ready);
        drop(mail);
        drop(ready);
    }
}

// === impl Inbox ===

impl Inbox {
    pub(crate) fn new(hub: Hub) -> Self {
        Self { hub, mailbox: Arc::default(), readers: HashMap::new() }
    }

    /// The client that the topics count for.
    pub fn holder(&self) -> Holder {
        self.mailbox.holder()
    }

    /// Counts the topics that are followed from now on for `holder`.
    pub fn set_holder(&mut self, holder: Holder) {
        lock(&self.mailbox.0).holder = Some(holder);
    }

    /// Follow `topic`, and say where its log stands. Following it already, move there.
    pub fn subscribe(
        &mut self,
        topic: &Topic,
        since: Since,
        tag: Tag,
    ) -> Result<Position, TooManyTopics> {
        let holder = self.holder();
        loop {
            let log = self.hub.log_for(topic, &holder)?;
            if let Some((reader, top)) = log.join(since, tag, &self.mailbox)? {
                // The new one first: without any reader the log might go.
                if let Some(old) = self.readers.insert(topic.clone(), reader) {
                    old.leave();
                }
                return Ok(top);
            }
        }
    }

    /// Stop following `topic`: nothing of it arrives any more. False if it was not followed.
    pub fn unsubscribe(&mut self, topic: &Topic) -> bool {
        let reader = self.readers.remove(topic);
        reader.map(|reader| reader.leave()).is_some()
    }

    /// Go on following `topic` where it is, under another tag. Gives the position to resume from,
    /// or `None` if it is not followed, or was deleted since.
    pub fn retag(&self, topic: &Topic, tag: Tag) -> Option<Position> {
        self.readers.get(topic).and_then(|reader| reader.retag(tag))
    }

    /// The tag under which `topic` is followed; `None` if it is not.
    pub fn tag(&self, topic: &Topic) -> Option<Tag> {
        self.readers.get(topic).map(|reader| reader.tag())
    }

    /// What is followed, in no order.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.readers.keys()
    }

    /// How many topics are followed.
    pub fn len(&self) -> usize {
        self.readers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.readers.is_empty()
    }

    /// Fill `out` with what there is, at most `room`, and in the order of each topic's log; pending
    /// while there is nothing.
    pub fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        room: BatchLimit,
        out: &mut Vec<Delivery>,
    ) -> Poll<()> {
        let before = out.len();
        let polled = self.mailbox.poll_recv(cx, room, out);
        for delivery in out.iter().skip(before) {
            if let Delivery::Deleted(topic, _) = delivery {
                self.readers.remove(topic);
            }
        }
        polled
    }

    /// [`poll_recv`](Self::poll_recv) as a future; cancel-safe.
    pub async fn recv(&mut self, room: BatchLimit, out: &mut Vec<Delivery>) {
        poll_fn(|cx| self.poll_recv(cx, room, out)).await;
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.mailbox.close();
        self.readers.drain().for_each(|(_, reader)| reader.leave());
    }
}
