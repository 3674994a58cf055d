//! One connection's view: any number of topics, one place to wait.
use std::{
    collections::HashMap,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{
    Holder, Hub, Position, Topic,
    delivery::{BatchLimit, Delivery, Since, Tag},
    hub::TooManyTopics,
    log::{Reader, ReaderMailbox},
};

/// One connection's subscriptions, and where it waits for their deliveries. Dropping it ends them.
#[derive(Debug)]
pub struct Inbox {
    hub: Hub,
    mailbox: Arc<ReaderMailbox>,
    readers: HashMap<Topic, Arc<Reader>>,
}

// === impl Inbox ===

impl Hub {
    /// A view of the gateway's own: its topics count for no client.
    pub fn inbox(&self) -> Inbox {
        Inbox::new(self.clone())
    }

    /// A new connection's view; the topics that it follows count for `holder`.
    pub fn inbox_of(&self, holder: Holder) -> Inbox {
        let mut inbox = Inbox::new(self.clone());
        inbox.set_holder(holder);
        inbox
    }
}

impl Inbox {
    fn new(hub: Hub) -> Self {
        Self { hub, mailbox: Arc::default(), readers: HashMap::new() }
    }

    /// The client that the topics count for.
    pub fn holder(&self) -> Holder {
        self.mailbox.holder()
    }

    /// Counts the topics that are followed from now on for `holder`.
    pub fn set_holder(&mut self, holder: Holder) {
        self.mailbox.set_holder(holder);
    }

    /// Follows `topic`, and gives the end of its log, or with [`Since::Now`] the position before the
    /// turn that runs: where to resume from before anything is delivered. Moves there if it is
    /// followed already.
    pub fn subscribe(
        &mut self,
        topic: &Topic,
        since: Since,
        tag: Tag,
    ) -> Result<Position, TooManyTopics> {
        let holder = self.holder();
        loop {
            let log = self.hub.log_for(topic, &holder)?;
            if let Some((reader, begin)) = log.join(since, tag, &self.mailbox)? {
                // The new one first: without any reader the log might go.
                if let Some(old) = self.readers.insert(topic.clone(), reader) {
                    old.leave();
                }
                return Ok(begin);
            }
        }
    }

    /// Stops following `topic`: nothing of it arrives any more. False if it was not followed.
    pub fn unsubscribe(&mut self, topic: &Topic) -> bool {
        let reader = self.readers.remove(topic);
        reader.map(|reader| reader.leave()).is_some()
    }

    /// Goes on following `topic` where it is, under another tag. Gives the position to resume from,
    /// or `None` if it is not followed, or was deleted since.
    pub fn retag(&self, topic: &Topic, tag: Tag) -> Option<Position> {
        self.readers.get(topic).and_then(|reader| reader.retag(tag))
    }

    /// The tag under which `topic` is followed; `None` if it is not.
    pub fn tag(&self, topic: &Topic) -> Option<Tag> {
        self.readers.get(topic).map(|reader| reader.tag())
    }

    /// The topics that are followed, in no order.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.readers.keys()
    }

    /// Number of topics that are followed.
    pub fn len(&self) -> usize {
        self.readers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.readers.is_empty()
    }

    /// Fills `out` up to `limit`, in the order of each topic's log; pending while there is nothing.
    pub fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        limit: BatchLimit,
        out: &mut Vec<Delivery>,
    ) -> Poll<()> {
        let before = out.len();
        let polled = self.mailbox.poll_recv(cx, limit, out);
        for delivery in out.iter().skip(before) {
            if let Delivery::Deleted(topic, _) = delivery {
                self.readers.remove(topic);
            }
        }
        polled
    }

    /// [`poll_recv`](Self::poll_recv) as a future; cancel-safe.
    pub async fn recv(&mut self, limit: BatchLimit, out: &mut Vec<Delivery>) {
        poll_fn(|cx| self.poll_recv(cx, limit, out)).await;
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.mailbox.close();
        self.readers.drain().for_each(|(_, reader)| reader.leave());
    }
}
