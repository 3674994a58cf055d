//! The hand-off from publishers to one connection.
use std::{
    collections::VecDeque,
    mem,
    task::{Context, Waker},
};

use crate::{
    Holder,
    sync::{Mutex, lock},
};

/// Queue of the readers that have something to read. Holds each reader at most once, so its bound
/// is the number of subscriptions, and of those ended since it was last emptied.
#[derive(Debug)]
pub(crate) struct Mailbox<T>(Mutex<ReadyQueue<T>>);

#[derive(Debug)]
struct ReadyQueue<T> {
    ready: VecDeque<T>,
    waker: Option<Waker>,
    closed: bool,
    holder: Holder,
}

impl<T> Mailbox<T> {
    /// The client that the topics count for.
    pub(crate) fn holder(&self) -> Holder {
        lock(&self.0).holder.clone()
    }

    pub(crate) fn set_holder(&self, holder: Holder) {
        lock(&self.0).holder = holder;
    }

    /// Queues `reader` and wakes the connection. Dropped if the mailbox is closed.
    pub(crate) fn put(&self, reader: T) {
        let mut queue = lock(&self.0);
        if queue.closed {
            return;
        }
        queue.ready.push_back(reader);
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The next reader; `None` after having left the waker.
    pub(crate) fn next(&self, cx: &mut Context<'_>) -> Option<T> {
        let mut queue = lock(&self.0);
        let next = queue.ready.pop_front();
        let is_known = |waker: &Waker| waker.will_wake(cx.waker());
        if next.is_none() && !queue.waker.as_ref().is_some_and(is_known) {
            queue.waker = Some(cx.waker().clone());
        }
        next
    }

    /// Drops the queued readers: readers and mailboxes hold each other.
    pub(crate) fn close(&self) {
        let mut queue = lock(&self.0);
        queue.closed = true;
        let ready = mem::take(&mut queue.ready);
        drop(queue);
        drop(ready);
    }
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self(Mutex::new(ReadyQueue {
            ready: VecDeque::new(),
            waker: None,
            closed: false,
            holder: Holder::Program,
        }))
    }
}
