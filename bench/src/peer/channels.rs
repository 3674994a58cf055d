//! Which connection reads which channel, and handing a message to all of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::mpsc::{Sender, error::TrySendError};

type Readers = Vec<(u64, Sender<Utf8Bytes>)>;

#[derive(Debug, Default)]
pub(crate) struct Channels(Mutex<HashMap<String, Readers>>);

impl Channels {
    pub(crate) fn subscribe(&self, channel: &str, reader: u64, queue: Sender<Utf8Bytes>) {
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        channels.entry(channel.to_owned()).or_default().push((reader, queue));
    }

    /// Forgets a connection that is gone.
    pub(crate) fn leave(&self, channel: &str, reader: u64) {
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(readers) = channels.get_mut(channel) {
            readers.retain(|(id, _)| *id != reader);
            if readers.is_empty() {
                channels.remove(channel);
            }
        }
    }

    /// Hands `message` to every reader but its publisher, and waits for those whose queue is full.
    pub(crate) async fn publish(&self, channel: &str, publisher: u64, message: &Utf8Bytes) {
        for (queue, message) in self.offer(channel, publisher, message) {
            // It fails for a reader that has just left: nothing is owed to it.
            drop(queue.send(message).await);
        }
    }

    /// Hands it to all whose queue has room, and returns the others.
    fn offer(
        &self,
        channel: &str,
        publisher: u64,
        message: &Utf8Bytes,
    ) -> Vec<(Sender<Utf8Bytes>, Utf8Bytes)> {
        let channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut full = Vec::new();
        for (id, queue) in channels.get(channel).into_iter().flatten() {
            if *id != publisher
                && let Err(TrySendError::Full(message)) = queue.try_send(message.clone())
            {
                full.push((queue.clone(), message));
            }
        }
        full
    }
}
