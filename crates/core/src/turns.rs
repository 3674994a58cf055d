//! Cancelling a turn without knowing the desk that runs it.
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use uuid::Uuid;

use crate::Topic;

/// The turns that run on this node. Cloning shares it.
#[derive(Clone, Default)]
pub struct Turns(Arc<OnceLock<Box<CancelFn>>>);

type CancelFn = dyn Fn(&Topic, Uuid) -> bool + Send + Sync;

impl Turns {
    /// Registers the desk's `cancel`, which gets a topic and a turn and tells whether that topic has
    /// that turn. Panics if one is registered already: a node has one desk.
    pub fn register(&self, cancel: impl Fn(&Topic, Uuid) -> bool + Send + Sync + 'static) {
        assert!(self.0.set(Box::new(cancel)).is_ok(), "a node has one desk");
    }

    /// Ends a turn of `topic` before its reply is complete. False if there is no such turn. A turn
    /// that has ended stays as it is; its last record tells which came first.
    pub fn cancel(&self, topic: &Topic, turn: Uuid) -> bool {
        self.0.get().is_some_and(|cancel| cancel(topic, turn))
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Turns").field(&self.0.get().is_some()).finish()
    }
}
